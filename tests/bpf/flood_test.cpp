// What an attacker may send as much of as he likes: SYNs of nobody, and flows chosen to hash alike.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/clock.h"
#include "control/limits.h"
#include "receiver_fixture.h"

namespace flare::test {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

std::uint64_t now_ns() { return MonotonicClock().now_ns(); }

/// The `i`-th client of many: 65,536 addresses, then other ports.
void set_client(Bytes& frame, bool v4, std::uint32_t i) {
  const std::size_t address = v4 ? 28 : 36, port = v4 ? 34 : 54;
  frame[address] = static_cast<std::uint8_t>(i >> 8);
  frame[address + 1] = static_cast<std::uint8_t>(i);
  frame[port] = 0x80;
  frame[port + 1] = static_cast<std::uint8_t>(i >> 16);
}

class SynFlood : public EachWay {
 protected:
  /// A million; in tc, which takes twice as long, a part of that. On an emulated CPU it ends
  /// earlier.
  std::uint32_t most() const { return hook() == FLARE_HOOK_XDP ? 1'000'000 : 250'000; }
  static constexpr std::uint64_t kLongest = 20 * kSecond;
  static constexpr std::uint16_t kServed = 100;
  static constexpr double kPerSecond = 500, kBurst = 1000;

  void SetUp() override {
    EachWay::SetUp();
    auto settings = *maps().settings.lookup(0);
    settings.nat_port_min = 1024;
    settings.nat_port_max = 65535;
    ASSERT_TRUE(maps().settings.update(0, settings));
    adjust([](flare_service& service) {
      service.spend_interval_ns = static_cast<std::uint64_t>(kSecond / kPerSecond);
      service.spend_depth_ns = static_cast<std::uint64_t>(kBurst / kPerSecond * kSecond);
    });
  }
  /// Opens a spilled flow from `port`; its scene has the NAT port.
  Scene serve(std::uint16_t port) {
    EXPECT_EQ(run_packet(hook(), tcp(scene_.client(port), scene_.frontend())).reason, "spill-new");
    find_nat();
    run_packet(hook(), scene_.reply_segment(TcpFlags::kSyn | TcpFlags::kAck));
    run_packet(hook(), tcp(scene_.client(port), scene_.frontend(), TcpFlags::kAck));
    return scene_;
  }
  std::uint64_t spilled() const { return tcp_counters().tier[FLARE_TIER_SERVERLESS].flows_new; }
};

TEST_P(SynFlood, OfAMillionSpendsNoMoreThanTheCeilingAndTakesNothingFromThoseWhoAreServed) {
  std::vector<Packet> of_clients;
  std::vector<Packet> replies;
  const std::uint64_t start = now_ns();
  for (std::uint16_t port = 1; port <= kServed; ++port) {
    const Scene mine = serve(port);
    of_clients.push_back(tcp(mine.client(port), mine.frontend(), TcpFlags::kAck));
    replies.push_back(mine.reply_segment());
  }
  Bytes syn = tcp(scene_.client(1), scene_.frontend()).bytes();
  std::uint32_t syns = 0, asked = 0, served = 0;
  while (syns < most()) {
    set_client(syn, v4(), syns);
    run_quietly(hook(), syn);
    if (++syns % 1000 != 0) continue;
    if (now_ns() - start > kLongest) break;
    const std::size_t who = asked++ % kServed;
    served += run_packet(hook(), of_clients[who]).reason == "spill-known" &&
                      run_packet(hook(), replies[who]).reason == "spill-reply"
                  ? 1U
                  : 0U;
  }
  const double seconds = static_cast<double>(now_ns() - start) / kSecond;
  const double ceiling = kBurst + kPerSecond * seconds + 1;
  EXPECT_LE(static_cast<double>(spilled()), ceiling);
  EXPECT_GE(static_cast<double>(spilled()), kBurst) << "the limit was reached, so it was tried";
  EXPECT_EQ(served, asked);
  EXPECT_EQ(tcp_counters().handshakes, kServed) << "SYNs alone open nothing that is paid for";
  EXPECT_GE(tcp_counters().refused[FLARE_REFUSAL_SPEND_RATE], syns / 2);

  SpendConfig spend;
  spend.per_second = kPerSecond;
  spend.burst = kBurst;
  const double bill = worst_hour_usd(spend, PriceConfig{});
  RecordProperty("syns", static_cast<int>(syns));
  RecordProperty("spent", std::to_string(spilled()));
  RecordProperty("ceiling", std::to_string(std::lround(std::floor(ceiling))));
  RecordProperty("served", std::to_string(served) + " of " + std::to_string(asked));
  RecordProperty("worst_hour_usd", std::to_string(bill));
  std::printf("  %u SYNs in %.1f s: %llu spilled, at most %.0f; worst bill %.2f USD an hour\n",
              syns, seconds, static_cast<unsigned long long>(spilled()), ceiling, bill);
}

TEST_P(SynFlood, UsesUpTheHourOnlyOnceAndThenSpendsNothing) {
  adjust([](flare_service& service) {
    service.spend_interval_ns = 0;
    service.hour_budget = 5000;
  });
  Bytes syn = tcp(scene_.client(1), scene_.frontend()).bytes();
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    set_client(syn, v4(), i);
    run_quietly(hook(), syn);
  }
  const std::uint64_t no_port = tcp_counters().refused[FLARE_REFUSAL_NO_PORT];
  EXPECT_LE(spilled() + no_port, 5000U);
  EXPECT_GE(spilled(), 4000U);
  RecordProperty("spent", std::to_string(spilled()));
  RecordProperty("budget", 5000);
}

INSTANTIATE_TEST_SUITE_P(Ways, SynFlood, testing::ValuesIn(ways([](const Way& way) {
                           return (way.family == Family::kV4) == (way.hook == FLARE_HOOK_XDP);
                         })),
                         way_name);

class ChosenFlows : public EachWay {
 protected:
  /// Whether the flow of the `i`-th client would be spilled.
  bool spills(std::uint32_t i) {
    set_client(frame_, v4(), i);
    const std::uint64_t before = tcp_counters().observed[FLARE_SPILL_SHARE];
    run_quietly(hook(), frame_);
    return tcp_counters().observed[FLARE_SPILL_SHARE] != before;
  }
  void set_key(std::uint64_t one, std::uint64_t other) {
    adjust([=](flare_service& service) {
      service.policy = FLARE_POLICY_OBSERVE;
      service.share = FLARE_SHARE_ONE / 10;
      service.hash_key[0] = one;
      service.hash_key[1] = other;
    });
    forget_packets();
  }
  Bytes frame_;
};

TEST_P(ChosenFlows, ForOneSecretAreOrdinaryFlowsForAnother) {
  frame_ = tcp(scene_.client(1), scene_.frontend()).bytes();
  set_key(0x0123456789abcdef, 0xfedcba9876543210);
  std::vector<std::uint32_t> chosen;
  for (std::uint32_t i = 0; chosen.size() < 1000; ++i)
    if (spills(i)) chosen.push_back(i);
  forget_packets();
  const auto among = [&] {
    return std::count_if(chosen.begin(), chosen.end(), [this](auto i) { return spills(i); });
  };
  EXPECT_EQ(among(), 1000) << "with the old secret all are where he wants them";
  set_key(0x0123456789abcdef, 0xfedcba9876543211);
  const auto left = among();
  EXPECT_NEAR(static_cast<double>(left), 100, 4 * std::sqrt(90.0))
      << "one bit of the secret leaves him the share of anybody";
  RecordProperty("chosen", 1000);
  RecordProperty("left_after_new_secret", static_cast<int>(left));
}

INSTANTIATE_TEST_SUITE_P(Ways, ChosenFlows, testing::ValuesIn(kWays), way_name);

}  // namespace
}  // namespace flare::test
