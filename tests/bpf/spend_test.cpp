// Permission to spend: every limit refuses at its bound, says so, and the overload policy decides.
#include <time.h>

#include <string>

#include "receiver_fixture.h"

namespace flare::test {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

struct Limit {
  const char* name;
  flare_refusal refusal;
  int allowed;  ///< spilled flows before the first refusal
  void (*set)(flare_service&);
};

const Limit kLimits[] = {
    {"SpendRate", FLARE_REFUSAL_SPEND_RATE, 4,
     [](flare_service& service) {
       service.spend_interval_ns = 3600 * kSecond;
       service.spend_depth_ns = 4 * 3600 * kSecond;
     }},
    {"PrefixShare", FLARE_REFUSAL_SPEND_PREFIX, 3,
     [](flare_service& service) {
       service.spend_interval_ns = 3600 * kSecond;
       service.prefix_interval_ns = 3 * 3600 * kSecond;
       service.spend_depth_ns = service.prefix_depth_ns = 10 * 3600 * kSecond;
     }},
    {"HourBudget", FLARE_REFUSAL_SPEND_HOUR, 7,
     [](flare_service& service) { service.hour_budget = 7; }},
    {"NoBudget", FLARE_REFUSAL_SPEND_HOUR, 0,
     [](flare_service& service) { service.hour_budget = 0; }},
    {"NoSnatAddress", FLARE_REFUSAL_NO_BACKEND, 0,
     [](flare_service& service) { service.snat_count = 0; }},
};

struct Spend {
  Way way;
  Limit limit;
};

class SpendLimit : public ReceiverTest, public testing::WithParamInterface<Spend> {
 protected:
  void SetUp() override {
    ReceiverTest::SetUp();
    build(GetParam().way.family, Path::kPlain, GetParam().limit.set);
  }
  flare_hook hook() const { return GetParam().way.hook; }
  Packet opening(Protocol protocol, int i) const {
    const auto port = static_cast<std::uint16_t>(1000 + i);
    return protocol == Protocol::kTcp ? tcp(scene_.client(port), scene_.frontend())
                                      : udp(scene_.client(port), scene_.frontend(protocol));
  }
  /// Uses up what is allowed.
  void spend_all(Protocol protocol) {
    for (int i = 0; i < GetParam().limit.allowed; ++i)
      ASSERT_EQ(run_packet(hook(), opening(protocol, i)).reason, "spill-new") << i;
  }
  std::uint64_t refused(Protocol protocol) const {
    return service_counters(protocol == Protocol::kTcp ? kTcpService : kUdpService)
        .refused[GetParam().limit.refusal];
  }
  void set_overload(flare_overload overload) {
    adjust([overload](flare_service& service) { service.overload = static_cast<__u8>(overload); });
  }
};

TEST_P(SpendLimit, LeavesTheRestToTheVmTier) {
  for (const Protocol protocol : {Protocol::kTcp, Protocol::kUdp}) {
    spend_all(protocol);
    for (int i = 100; i < 105; ++i)
      expect_passed(hook(), opening(protocol, i).bytes(), "vm-overload");
    EXPECT_EQ(refused(protocol), 5U);
    EXPECT_EQ(run_packet(hook(), opening(protocol, 100)).reason, "vm-known") << "it stays there";
  }
}

TEST_P(SpendLimit, RejectsTheRest) {
  set_overload(FLARE_OVERLOAD_REJECT);
  for (const Protocol protocol : {Protocol::kTcp, Protocol::kUdp}) {
    spend_all(protocol);
    const Packet packet = opening(protocol, 100);
    const Outcome outcome = expect_sent(
        hook(), packet,
        protocol == Protocol::kTcp ? scene_.reset(packet) : scene_.port_unreachable(packet),
        "overload-reject");
    EXPECT_LE(outcome.bytes.size(), packet.bytes().size() + 48) << "no amplifier";
    EXPECT_EQ(refused(protocol), 1U);
  }
  EXPECT_EQ(entries_of_everything(), static_cast<std::uint64_t>(4 * GetParam().limit.allowed));
}

TEST_P(SpendLimit, DropsTheRest) {
  set_overload(FLARE_OVERLOAD_DROP);
  for (const Protocol protocol : {Protocol::kTcp, Protocol::kUdp}) {
    spend_all(protocol);
    expect_dropped(hook(), opening(protocol, 100).bytes(), "overload-drop");
    EXPECT_EQ(refused(protocol), 1U);
  }
}

std::vector<Spend> spends() {
  std::vector<Spend> all;
  for (const Way& way : kWays)
    for (const Limit& limit : kLimits) all.push_back({way, limit});
  return all;
}

std::string spend_name(const testing::TestParamInfo<Spend>& info) {
  return std::string(info.param.limit.name) + family_name(info.param.way.family) +
         hook_name(info.param.way.hook);
}

INSTANTIATE_TEST_SUITE_P(Limits, SpendLimit, testing::ValuesIn(spends()), spend_name);

class Spending : public EachWay {
 protected:
  /// Opens a flow from `port` and finishes its handshake, if it is spilled. Returns the reason.
  std::string open(std::uint16_t port) {
    const Packet syn = tcp(scene_.client(port), scene_.frontend());
    const std::string reason = run_packet(hook(), syn).reason;
    if (reason != "spill-new") return reason;
    find_nat();
    run_packet(hook(), scene_.reply_segment(TcpFlags::kSyn | TcpFlags::kAck));
    run_packet(hook(), tcp(scene_.client(port), scene_.frontend(), TcpFlags::kAck));
    return reason;
  }
  flare_admission admission() const { return maps().admission.read(kTcpService); }
};

TEST_P(Spending, IsBoundedByConcurrentFlows) {
  adjust([](flare_service& service) { service.active_max = 3; });
  for (std::uint16_t port = 1; port <= 3; ++port) EXPECT_EQ(open(port), "spill-new");
  EXPECT_EQ(admission().active, 3U);
  EXPECT_EQ(open(4), "vm-overload");
  EXPECT_EQ(tcp_counters().refused[FLARE_REFUSAL_SPEND_ACTIVE], 1U);
  run_packet(hook(), tcp(scene_.client(2), scene_.frontend(), TcpFlags::kRst));
  EXPECT_EQ(open(5), "spill-new") << "one has ended";
  EXPECT_EQ(open(6), "vm-overload");
}

TEST_P(Spending, GrowsConcurrencyNoFasterThanTheRamp) {
  adjust([](flare_service& service) {
    service.ramp_interval_ns = 3600 * kSecond;
    service.ramp_depth_ns = 3 * 3600 * kSecond;
  });
  for (std::uint16_t port = 1; port <= 3; ++port) EXPECT_EQ(open(port), "spill-new");
  EXPECT_EQ(admission().active_peak, 3U);
  EXPECT_EQ(open(4), "vm-overload");
  EXPECT_EQ(tcp_counters().refused[FLARE_REFUSAL_SPEND_RAMP], 1U);
  run_packet(hook(), tcp(scene_.client(2), scene_.frontend(), TcpFlags::kRst));
  EXPECT_EQ(open(5), "spill-new") << "the tier has grown to three already";
  EXPECT_EQ(open(6), "vm-overload");
}

TEST_P(Spending, ForgetsWhatTheTierHadGrownToWhenItsInstancesAreGone) {
  adjust([](flare_service& service) {
    service.ramp_interval_ns = 3600 * kSecond;
    service.ramp_depth_ns = 3 * 3600 * kSecond;
  });
  for (std::uint16_t port = 1; port <= 3; ++port) EXPECT_EQ(open(port), "spill-new");
  for (std::uint16_t client = 1; client <= 3; ++client)
    run_packet(hook(), tcp(scene_.client(client), scene_.frontend(), TcpFlags::kRst));
  const std::uint64_t last = admission().last_spill_ns;
  maps().admission.set(kTcpService, &flare_admission::last_spill_ns, last - 310 * kSecond);
  EXPECT_EQ(open(4), "vm-overload") << "all three tokens are taken, and no instance is left";
  maps().admission.set(kTcpService, &flare_admission::last_spill_ns, last);
  EXPECT_EQ(admission().active_peak, 0U);
}

TEST_P(Spending, HourBudgetIsNewInTheNextHour) {
  adjust([](flare_service& service) { service.hour_budget = 2; });
  EXPECT_EQ(open(1), "spill-new");
  EXPECT_EQ(open(2), "spill-new");
  EXPECT_EQ(open(3), "vm-overload");
  const std::uint64_t word = admission().hour;
  EXPECT_EQ(word & ((1ULL << 40) - 1), 2U);
  maps().admission.set(kTcpService, &flare_admission::hour, word - (1ULL << 40));
  EXPECT_EQ(open(4), "spill-new") << "what was spent an hour ago does not count";
}

TEST_P(Spending, NeedsABackend) {
  set_backend_state(FLARE_BACKEND_DOWN);
  EXPECT_EQ(open(1), "vm-overload");
  EXPECT_EQ(tcp_counters().refused[FLARE_REFUSAL_NO_BACKEND], 1U);
  set_backend_state(FLARE_BACKEND_ACTIVE);
  EXPECT_EQ(open(2), "spill-new");
}

TEST_P(Spending, NeedsATable) {
  ASSERT_TRUE(maps().tables.withdraw(kTcpService, FLARE_TIER_SERVERLESS));
  EXPECT_EQ(open(1), "vm-overload");
  EXPECT_EQ(tcp_counters().refused[FLARE_REFUSAL_NO_BACKEND], 1U);
  EXPECT_EQ(admission().hour, 0U) << "nothing is spent";
}

TEST_P(Spending, NotesTheLastSpill) {
  EXPECT_EQ(admission().last_spill_ns, 0U);
  EXPECT_EQ(open(1), "spill-new");
  EXPECT_NE(admission().last_spill_ns, 0U);
}

INSTANTIATE_TEST_SUITE_P(Ways, Spending, testing::ValuesIn(kWays), way_name);

}  // namespace
}  // namespace flare::test
