// What one prefix of clients, or a flood, may have spilled: a share of the limit a second, and
// nothing while a CPU meets more new flows than clients make.
#include <sched.h>

#include <algorithm>

#include "base/clock.h"
#include "control/limits.h"
#include "receiver_fixture.h"

namespace flare::test {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000, kHour = 3600 * kSecond;

class OfClients : public EachWay {
 protected:
  /// The `host`-th address of the `prefix`-th /24 or /64.
  std::string client(unsigned prefix, unsigned host, std::uint16_t port = 40000) const {
    char ip[40];
    std::snprintf(ip, sizeof ip, v4() ? "198.51.%u.%u" : "2001:db8:c:%x::%x", prefix, host);
    return scene_.at(ip, port);
  }
  std::string open(unsigned prefix, unsigned host) {
    return run_packet(hook(), tcp(client(prefix, host), scene_.frontend())).reason;
  }
  /// Opens a flow from each of so many hosts. Returns how many were spilled; all others were left
  /// to the VM tier.
  unsigned spilled(unsigned prefix, unsigned hosts) {
    unsigned count = 0;
    for (unsigned host = 1; host <= hosts; ++host) {
      const std::string reason = open(prefix, host);
      const bool spills = reason == "spill-new";
      count += spills ? 1 : 0;
      EXPECT_TRUE(spills || reason == "vm-overload") << reason << ": " << prefix << ", " << host;
    }
    return count;
  }
  std::uint64_t refused(flare_refusal why) const { return tcp_counters().refused[why]; }
  std::uint32_t slots_in_use() const {
    std::uint32_t count = 0;
    for (std::uint32_t slot = 0; slot < maps().spill_prefixes.size(); ++slot)
      count += maps().spill_prefixes.read(slot).time_ns != 0 ? 1 : 0;
    return count;
  }
};

class PrefixShare : public OfClients {
 protected:
  /// 100 at once, a tenth of it for a prefix, and no refill while the test runs.
  void SetUp() override {
    OfClients::SetUp();
    adjust([](flare_service& service) {
      service.spend_interval_ns = kHour;
      service.prefix_interval_ns = 10 * kHour;
      service.spend_depth_ns = service.prefix_depth_ns = 100 * kHour;
    });
  }
};

TEST_P(PrefixShare, IsAllThatAFloodOfOnePrefixGetsWhileOthersStillSpill) {
  EXPECT_EQ(spilled(0, 60), 10U);
  EXPECT_EQ(refused(FLARE_REFUSAL_SPEND_PREFIX), 50U);
  EXPECT_EQ(entries_of_everything(), 20U) << "what is refused leaves no entry";
  EXPECT_EQ(open(0, 60), "vm-known");
  for (unsigned prefix = 1; prefix < 10; ++prefix) EXPECT_EQ(spilled(prefix, 11), 10U) << prefix;
  EXPECT_EQ(refused(FLARE_REFUSAL_SPEND_PREFIX), 59U);
  EXPECT_EQ(refused(FLARE_REFUSAL_SPEND_RATE), 0U) << "the flood took nothing from them";
  EXPECT_EQ(spilled(10, 1), 0U) << "ten tenths are all";
  EXPECT_EQ(refused(FLARE_REFUSAL_SPEND_RATE), 1U);
  RecordProperty("asked_by_one_prefix", 60);
  RecordProperty("given_to_one_prefix", 10);
  RecordProperty("given_to_others", 90);
}

TEST_P(PrefixShare, IsOfTheWholePrefixAndOfNoMore) {
  EXPECT_EQ(spilled(6, 10), 10U);
  EXPECT_EQ(open(6, 255), "vm-overload");
  if (!v4()) {
    for (const char* host : {"2001:db8:c:6:8000::1", "2001:db8:c:6:ffff:ffff:ffff:ffff"}) {
      const Packet syn = tcp(scene_.at(host, 40000), scene_.frontend());
      EXPECT_EQ(run_packet(hook(), syn).reason, "vm-overload") << host;
    }
  }
  EXPECT_EQ(open(7, 1), "spill-new");
  EXPECT_EQ(open(4, 1), "spill-new");
}

TEST_P(PrefixShare, IsOfEachServiceApart) {
  EXPECT_EQ(spilled(0, 11), 10U);
  const Packet datagram = udp(client(0, 1), scene_.frontend(Protocol::kUdp));
  EXPECT_EQ(run_packet(hook(), datagram).reason, "spill-new");
}

TEST_P(PrefixShare, RefillsWithTime) {
  SpendConfig spend;
  spend.prefix_share = 0.1;
  adjust([&spend](flare_service& service) {
    service.spend_interval_ns = spend_limit(spend).interval_ns;
    service.spend_depth_ns = spend_limit(spend).depth_ns;
    service.prefix_interval_ns = prefix_limit(spend).interval_ns;
    service.prefix_depth_ns = prefix_limit(spend).depth_ns;
  });
  const MonotonicClock clock;
  const std::uint64_t start = clock.now_ns();
  const unsigned first = spilled(0, 120);
  const std::uint64_t while_it_ran = (clock.now_ns() - start) * 50 / kSecond + 1;
  EXPECT_GE(first, 50U);
  EXPECT_LE(first, 50 + while_it_ran) << "a tenth of 500 at once";
  for (std::uint32_t slot = 0; slot < maps().spill_prefixes.size(); ++slot) {
    const std::uint64_t at = maps().spill_prefixes.read(slot).time_ns;
    if (at != 0) maps().spill_prefixes.set(slot, &flare_spill_prefix::time_ns, at - kSecond / 2);
  }
  unsigned later = 0;
  for (unsigned host = 121; host <= 150; ++host) later += open(0, host) == "spill-new" ? 1 : 0;
  EXPECT_GE(later, 25U) << "half a second's share";
}

TEST_P(PrefixShare, IsUsedUpOnlyByWhatWasGiven) {
  adjust([](flare_service& service) { service.hour_budget = 0; });
  EXPECT_EQ(spilled(0, 20), 0U);
  EXPECT_EQ(refused(FLARE_REFUSAL_SPEND_HOUR), 20U);
  EXPECT_EQ(slots_in_use(), 0U) << "no flood of prefixes fills the map";
  adjust([](flare_service& service) { service.hour_budget = 1000; });
  forget_packets();
  EXPECT_EQ(spilled(0, 20), 10U);
  EXPECT_EQ(slots_in_use(), 1U);
}

TEST_P(PrefixShare, IsOffUnlessToldAndThenNothingIsRemembered) {
  SpendConfig spend;
  EXPECT_EQ(prefix_limit(spend), RateLimit{}) << "as it is by default";
  adjust([](flare_service& service) { service.prefix_interval_ns = service.prefix_depth_ns = 0; });
  EXPECT_EQ(spilled(0, 60), 60U);
  EXPECT_EQ(slots_in_use(), 0U);
}

TEST_P(PrefixShare, LimitsNothingThatStaysInTheVmTier) {
  stand_at(Stand::kBalancer);
  build(GetParam().family, Path::kPlain, [](flare_service& service) {
    service.spend_interval_ns = service.prefix_interval_ns = kHour;
    service.spend_depth_ns = service.prefix_depth_ns = kHour;
  });
  for (unsigned host = 1; host <= 20; ++host) EXPECT_EQ(open(0, host), "forward-new") << host;
  EXPECT_EQ(slots_in_use(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Ways, PrefixShare, testing::ValuesIn(kWays), way_name);

/// One test a hook: nobody but its program, which is loaded for the suite, can forget what it
/// counted.
class CpuFlood : public OfClients {
 protected:
  static constexpr unsigned kRate = 20;

  void SetUp() override {
    ASSERT_EQ(sched_getaffinity(0, sizeof before_, &before_), 0);
    OfClients::SetUp();
    run_on(0);
    limit(kRate);
  }
  void TearDown() override {
    EXPECT_EQ(sched_setaffinity(0, sizeof before_, &before_), 0);
    OfClients::TearDown();
  }
  void limit(std::uint32_t rate) {
    auto settings = *maps().settings.lookup(0);
    settings.flood_rate = rate;
    ASSERT_TRUE(maps().settings.update(0, settings));
  }
  /// On the `index`-th of the CPUs that we may use. Whether there is one.
  bool run_on(int index) {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (!CPU_ISSET(cpu, &before_) || index-- != 0) continue;
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(cpu, &one);
      return sched_setaffinity(0, sizeof one, &one) == 0;
    }
    return false;
  }
  static void wait(std::uint64_t ns) {
    const timespec time{static_cast<time_t>(ns / kSecond), static_cast<long>(ns % kSecond)};
    ::nanosleep(&time, nullptr);
  }

  cpu_set_t before_{};
};

TEST_P(CpuFlood, IsNotSpilledNorIsWhatComesWithItUntilItIsOver) {
  const MonotonicClock clock;
  ASSERT_EQ(open(0, 250), "spill-new");
  find_nat();
  const std::uint64_t start = clock.now_ns();
  const unsigned first = spilled(1, 100);
  const std::uint64_t seconds = (clock.now_ns() - start) / kSecond;
  EXPECT_GE(first, kRate - 1);
  EXPECT_LE(first, kRate * (1 + seconds)) << "all that comes first in a second, and no more";
  EXPECT_EQ(refused(FLARE_REFUSAL_FLOOD), 100 - first);
  EXPECT_EQ(entries_of_everything(), 2U * (first + 1)) << "what is refused leaves no entry";
  EXPECT_EQ(run_packet(hook(), scene_.reply_segment(TcpFlags::kSyn | TcpFlags::kAck)).reason,
            "spill-reply")
      << "who is served is served on";
  wait(kSecond);
  EXPECT_EQ(open(2, 1), "vm-overload") << "a second begins, and the last one was a flood's";
  if (run_on(1)) {
    EXPECT_EQ(open(3, 1), "spill-new") << "another CPU meets no flood";
  }
  run_on(0);
  wait(kSecond);
  EXPECT_EQ(open(4, 1), "spill-new") << "it is over";
  RecordProperty("rate", static_cast<int>(kRate));
  RecordProperty("new_flows", 100);
  RecordProperty("spilled", static_cast<int>(first));
}

INSTANTIATE_TEST_SUITE_P(Ways, CpuFlood, testing::ValuesIn(ways([](const Way& way) {
                           return (way.family == Family::kV4) == (way.hook == FLARE_HOOK_XDP);
                         })),
                         way_name);

class FloodRate : public CpuFlood {};

TEST_P(FloodRate, OfNoneLimitsNothing) {
  limit(0);
  EXPECT_EQ(spilled(1, 200), 200U);
  EXPECT_EQ(refused(FLARE_REFUSAL_FLOOD), 0U);
}

TEST_P(FloodRate, CountsNothingThatIsKnown) {
  adjust([](flare_service& service) { service.share = 0; });
  ASSERT_EQ(open(1, 1), "vm-new");
  for (unsigned i = 0; i < 3 * kRate; ++i) ASSERT_EQ(open(1, 1), "vm-known") << i;
  adjust([](flare_service& service) { service.share = FLARE_SHARE_ONE; });
  EXPECT_EQ(open(1, 2), "spill-new");
}

INSTANTIATE_TEST_SUITE_P(Ways, FloodRate, testing::ValuesIn(ways([](const Way& way) {
                           return way.family == Family::kV4;
                         })),
                         way_name);

}  // namespace
}  // namespace flare::test
