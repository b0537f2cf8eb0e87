// Where connect() leads to: the tier and the backend, and what the process sees of them.
#include <cerrno>
#include <cmath>

#include "bpf/connect/connect_fixture.h"

namespace flare::test {
namespace {

class Choose : public ConnectTest, public testing::WithParamInterface<Wording> {
 protected:
  void SetUp() override {
    ConnectTest::SetUp();
    make(GetParam());
  }
};
INSTANTIATE_TEST_SUITE_P(Families, Choose,
                         testing::Values(Wording::kV4, Wording::kV6, Wording::kMapped),
                         wording_name);

TEST_P(Choose, LeadsToTheVmAndShowsTheService) {
  Server machine(vm(GetParam()));
  {
    const UniqueFd socket = open();
    EXPECT_EQ(machine.take(), 1U);
    EXPECT_EQ(peer_of(socket), frontend(GetParam()));
    EXPECT_EQ(open_counts(), (std::vector<std::int64_t>{1, 0, 0, 1, 1, 0, 0, 0, 0}));
    EXPECT_EQ(traffic(FLARE_TIER_VM).requests, 1U);
    EXPECT_EQ(traffic(FLARE_TIER_VM).flows_new, 1U);
    expect_balance();
  }
  EXPECT_EQ(open_counts(), nothing_open());
  EXPECT_EQ(traffic(FLARE_TIER_VM).answers, 1U);
  EXPECT_EQ(traffic(FLARE_TIER_VM).flows_closed, 1U);
  EXPECT_EQ(maps().backend_totals(kVm).accepted, 1U);
  EXPECT_EQ(maps().backend_totals(kVm).traffic.answers, 1U);
}

TEST_P(Choose, LeadsToServerlessAndShowsTheService) {
  Server instance(cloud(GetParam()));
  service_.share = FLARE_SHARE_ONE;
  put();
  {
    const UniqueFd socket = open();
    EXPECT_EQ(instance.take(), 1U);
    EXPECT_EQ(peer_of(socket), frontend(GetParam()));
    EXPECT_EQ(open_counts(), (std::vector<std::int64_t>{0, 1, 1, 0, 0, 0, 0, 1, 1}));
    EXPECT_EQ(totals().spilled[FLARE_SPILL_SHARE], 1U);
    EXPECT_EQ(totals().handshakes, 1U);
    EXPECT_NE(maps().admission.read(kService).last_spill_ns, 0U);
    expect_balance();
  }
  EXPECT_EQ(open_counts(), nothing_open());
  EXPECT_EQ(traffic(FLARE_TIER_SERVERLESS).answers, 1U);
  EXPECT_EQ(maps().backend_totals(kCloud).accepted, 1U);
}

TEST_P(Choose, LeavesWhatIsNotOfThisPlacementAlone) {
  const Server machine(vm(GetParam()));
  EXPECT_EQ(dial(make_socket(GetParam()), vm(GetParam())), 0);
  for (const flare_placement other : {FLARE_PLACEMENT_RECEIVER, FLARE_PLACEMENT_BALANCER}) {
    service_.placement = static_cast<__u8>(other);
    put();
    EXPECT_EQ(dial(make_socket(GetParam())), ENETUNREACH) << placement_word(other);
  }
  EXPECT_EQ(traffic(FLARE_TIER_VM).flows_new, 0U);
}

TEST_P(Choose, RefusesAsTheServiceSays) {
  const Server instance(cloud(GetParam()));
  service_.share = FLARE_SHARE_ONE;
  service_.hour_budget = 0;
  for (const auto& [overload, error] : {std::pair{FLARE_OVERLOAD_REJECT, ECONNREFUSED},
                                        std::pair{FLARE_OVERLOAD_DROP, ETIMEDOUT}}) {
    service_.overload = static_cast<__u8>(overload);
    put();
    EXPECT_EQ(dial(make_socket(GetParam())), error) << overload_word(overload);
  }
  EXPECT_EQ(totals().refused[FLARE_REFUSAL_SPEND_HOUR], 2U);
  service_.overload = FLARE_OVERLOAD_VM;
  put();
  Server machine(vm(GetParam()));
  const UniqueFd socket = open();
  EXPECT_EQ(machine.take(), 1U);
}

class Tier : public ConnectTest {
 protected:
  void SetUp() override {
    ConnectTest::SetUp();
    make(Wording::kV4);
  }
  /// Connects `count` times, each closed at once; returns how many were spilled.
  std::uint64_t spilled_of(int count) {
    const std::uint64_t before = traffic(FLARE_TIER_SERVERLESS).flows_new;
    for (int i = 0; i < count; ++i) open();
    machine.take();
    instance.take();
    machine.taken.clear();
    instance.taken.clear();
    return traffic(FLARE_TIER_SERVERLESS).flows_new - before;
  }
  Server machine{vm(Wording::kV4)};
  Server instance{cloud(Wording::kV4)};
};

TEST_F(Tier, ShareIsExactAtItsEndsAndFairBetween) {
  EXPECT_EQ(spilled_of(300), 0U);
  service_.share = FLARE_SHARE_ONE;
  put();
  EXPECT_EQ(spilled_of(300), 300U);
  service_.share = FLARE_SHARE_ONE / 2;
  put();
  // sockets' cookies are others in each run: 4 sigma are missed once in 16,000 of them
  EXPECT_NEAR(static_cast<double>(spilled_of(2000)), 1000, 4 * std::sqrt(2000.0 / 4));
  EXPECT_EQ(traffic(FLARE_TIER_VM).flows_new + traffic(FLARE_TIER_SERVERLESS).flows_new, 2600U);
  expect_balance();
}

TEST_F(Tier, CapSpillsWhatFindsItReached) {
  service_.cap = 3;
  put();
  std::vector<UniqueFd> held;
  for (int i = 0; i < 3; ++i) held.push_back(open());
  EXPECT_EQ(in_flight(FLARE_TIER_VM), 3);
  EXPECT_EQ(spilled_of(5), 5U);
  EXPECT_EQ(totals().spilled[FLARE_SPILL_CAP], 5U);
  held.pop_back();
  EXPECT_EQ(spilled_of(5), 0U);
}

TEST_F(Tier, CapCountsWhatPacketsHaveInFlightToo) {
  service_.cap = 3;
  put();
  const UniqueFd held = open();
  maps().admission.visit(kService, [](flare_admission& row) { row.in_flight[0] = 2; });
  EXPECT_EQ(spilled_of(1), 1U);
  maps().admission.visit(kService, [](flare_admission& row) { row.in_flight[0] = 1; });
  EXPECT_EQ(spilled_of(1), 0U);
}

TEST_F(Tier, BucketSpillsWhatFindsNoToken) {
  service_.bucket_interval_ns = 3'600'000'000'000;
  service_.bucket_depth_ns = 2 * service_.bucket_interval_ns;
  put();
  EXPECT_EQ(spilled_of(5), 3U);
  EXPECT_EQ(totals().spilled[FLARE_SPILL_BUCKET], 3U);
}

TEST_F(Tier, ObserveCountsAndSpillsNothing) {
  service_.share = FLARE_SHARE_ONE;
  service_.policy = FLARE_POLICY_OBSERVE;
  put();
  EXPECT_EQ(spilled_of(7), 0U);
  EXPECT_EQ(totals().observed[FLARE_SPILL_SHARE], 7U);
}

TEST_F(Tier, ConcurrentSpilledFlowsAreLimited) {
  service_.share = FLARE_SHARE_ONE;
  service_.active_max = 2;
  put();
  std::vector<UniqueFd> held;
  for (int i = 0; i < 3; ++i) held.push_back(open());
  EXPECT_EQ(open_counts(), (std::vector<std::int64_t>{1, 2, 2, 1, 1, 0, 0, 2, 2}));
  EXPECT_EQ(totals().refused[FLARE_REFUSAL_SPEND_ACTIVE], 1U);
  held.erase(held.begin());
  EXPECT_EQ(spilled_of(1), 1U);
}

TEST_F(Tier, WithoutAgentNoShareHolds) {
  service_.share = FLARE_SHARE_ONE;
  service_.cap = 1;
  put();
  beat(6'000'000'000);
  const UniqueFd held = open();
  EXPECT_EQ(in_flight(FLARE_TIER_VM), 1);
  EXPECT_EQ(spilled_of(2), 2U) << "the cap does";
  EXPECT_EQ(totals().spilled[FLARE_SPILL_CAP], 2U);
  service_.fallback = FLARE_FALLBACK_VM;
  put();
  EXPECT_EQ(spilled_of(2), 0U);
  EXPECT_EQ(totals().stale_decisions, 5U);
  beat();
  EXPECT_EQ(spilled_of(2), 2U);
}

TEST_F(Tier, WithoutAUsableVmAllGoToServerless) {
  for (const bool by_table : {true, false}) {
    if (by_table) {
      set_table(FLARE_TIER_VM, {});
    } else {
      set_table(FLARE_TIER_VM, {kVm});
      set_state(kVm, FLARE_BACKEND_DOWN);
    }
    EXPECT_EQ(spilled_of(3), 3U) << by_table;
  }
  EXPECT_EQ(totals().spilled[FLARE_SPILL_NO_VM], 6U);
  set_state(kCloud, FLARE_BACKEND_DOWN);
  EXPECT_EQ(dial(make_socket(Wording::kV4)), ECONNREFUSED) << "there is none at all";
  EXPECT_EQ(totals().refused[FLARE_REFUSAL_NO_BACKEND], 1U);
}

TEST_F(Tier, SpreadsOverTheTable) {
  Server other(vm(Wording::kV4, 2));
  set_table(FLARE_TIER_VM, {kVm, kOtherVm});
  EXPECT_EQ(spilled_of(2000), 0U);
  EXPECT_NEAR(static_cast<double>(maps().backend_totals(kVm).traffic.flows_new), 1000,
              4 * std::sqrt(2000.0 / 4));
}

TEST_F(Tier, LeastTakesTheLessLoadedOfTwo) {
  Server other(vm(Wording::kV4, 2));
  service_.select = FLARE_SELECT_LEAST;
  put();
  std::vector<UniqueFd> held;
  for (int i = 0; i < 400; ++i) held.push_back(open());
  EXPECT_EQ(load_of(kVm).in_flight, 400U);
  set_table(FLARE_TIER_VM, {kVm, kOtherVm});
  for (int i = 0; i < 400; ++i) held.push_back(open());
  // three of four pairs of draws have the other one in them; by hash alone it would get half
  EXPECT_NEAR(static_cast<double>(load_of(kOtherVm).in_flight), 300, 4 * std::sqrt(400 * 3.0 / 16));
}

TEST_F(Tier, AddressOfTheOtherFamilyIsNoBackend) {
  flare_backend six = *maps().backends.lookup(kVm);
  six.addr = Endpoint::parse("[2001:db8:2::1]:8080")->address.raw;
  ASSERT_TRUE(maps().backends.update(kVm, six));
  EXPECT_EQ(spilled_of(1), 1U);
  EXPECT_EQ(totals().spilled[FLARE_SPILL_NO_VM], 1U);
}

}  // namespace
}  // namespace flare::test
