// The services over time: ids stay, epochs grow, zero is zero, and nothing is half applied.
#include <arpa/inet.h>

#include <cmath>

#include "control/formula.h"
#include "service_set_fixture.h"

namespace flare {
namespace {

using test::api;
using test::kKey;
using test::kSecond;
using test::kStart;
using test::Services;
using test::web;
using test::with;

TEST_F(Services, AreWrittenWhole) {
  apply(with({web()}));
  const flare_service& value = tables_.only_service();
  EXPECT_EQ(value.id, 0U);
  EXPECT_EQ(value.epoch, 1U);
  EXPECT_EQ(value.share, 0U);
  EXPECT_EQ(value.bucket_interval_ns, 2'500'000U);
  EXPECT_EQ(value.bucket_depth_ns, 33U * 2'500'000U);
  EXPECT_EQ(value.hash_key[0], 11U);
  EXPECT_EQ(value.snat_count, 1);
  EXPECT_STREQ(tables_.infos_[0].name, "web");
  EXPECT_EQ(tables_.infos_[0].capacity_mrps, 400'000U);
  EXPECT_EQ(tables_.backends_[0].weight, 0U) << "id 0 is the VM tier";
  EXPECT_EQ(tables_.ids_in_table(0), (std::set<std::uint32_t>{1, 2}));
}

TEST_F(Services, BoundPrefixesAndFloodsAsTold) {
  apply(with({web()}));
  EXPECT_EQ(tables_.only_service().prefix_interval_ns, 0U) << "no limit";
  EXPECT_EQ(tables_.settings().flood_rate, 125'000U);
  ServiceConfig bounded = web();
  bounded.spend.prefix_share = 0.1;
  Config config = with({bounded});
  config.agent.flood_rate = 7;
  apply(config);
  EXPECT_EQ(tables_.only_service().prefix_interval_ns, 20'000'000U) << "50 a second";
  EXPECT_EQ(tables_.only_service().prefix_depth_ns, kSecond) << "50 at once";
  EXPECT_EQ(tables_.settings().flood_rate, 7U);
}

TEST_F(Services, ThatDoNotChangeAreNotWrittenAgain) {
  apply(with({web()}));
  const std::size_t writes = tables_.service_writes;
  const std::size_t tables = tables_.table_writes;
  apply(with({web()}));
  for (int i = 0; i < 5; ++i) second(200);
  EXPECT_EQ(tables_.service_writes, writes);
  EXPECT_EQ(tables_.table_writes, tables);
  EXPECT_EQ(tables_.only_service().epoch, 1U);
}

TEST_F(Services, SpillTheExcessAndReturnToExactlyZero) {
  apply(with({web()}));
  second(0);
  for (int i = 0; i < 3; ++i) second(400);
  EXPECT_EQ(share(), 0U);
  second(800);  // L = 800 + 400
  EXPECT_NEAR(share_to_fraction(share()), 1 - 400.0 / 1200, 1e-6);
  second(400, 400);
  EXPECT_NEAR(share_to_fraction(share()), 0.5, 1e-6);
  EXPECT_EQ(tables_.infos_[0].arrivals_mrps, 800'000U) << "both tiers";
  EXPECT_NE(tables_.infos_[0].spilling_since_ns, 0U);
  second(200, 200);
  EXPECT_EQ(share(), 0U);
  for (int i = 0; i < 6; ++i) second(400);
  EXPECT_EQ(tables_.infos_[0].spilling_since_ns, 0U);
  ASSERT_EQ(tables_.events_.size(), 2U);
  const flare_spill_event& start = tables_.events_[0];
  EXPECT_EQ(start.kind, FLARE_SPILL_EVENT_START);
  EXPECT_STREQ(start.name, "web");
  EXPECT_EQ(start.arrivals_mrps, 800'000U);
  EXPECT_EQ(start.capacity_mrps, 400'000U);
  EXPECT_NEAR(share_to_fraction(start.share), 1 - 400.0 / 1200, 1e-6);
  const flare_spill_event& end = tables_.events_[1];
  EXPECT_EQ(end.kind, FLARE_SPILL_EVENT_END);
  EXPECT_EQ(end.flows[0], 600U);
  EXPECT_EQ(end.price_nanousd, 600 * tables_.infos_[0].price_nanousd);
  EXPECT_EQ(end.lasted_ns, 2 * kSecond);
}

TEST_F(Services, UnderObserveGetNoShareHoweverHighTheLoad) {
  ServiceConfig service = web();
  service.policy = FLARE_POLICY_OBSERVE;
  apply(with({service}));
  for (int i = 0; i < 4; ++i) {
    second(4000);
    EXPECT_EQ(share(), 0U);
  }
  EXPECT_EQ(tables_.only_service().policy, FLARE_POLICY_OBSERVE);
  EXPECT_NEAR(share_to_fraction(tables_.infos_[0].wanted_share), 0.9, 1e-6);
  EXPECT_EQ(tables_.infos_[0].applied_share, 0U);
}

ServiceConfig capped() {
  ServiceConfig service = web();
  service.policy = FLARE_POLICY_CAP;
  service.workers = 32;
  return service;
}

TEST_F(Services, UnderCapGetACapAndABucketBehindIt) {
  apply(with({capped()}));
  const flare_service& value = tables_.only_service();
  EXPECT_EQ(value.policy, FLARE_POLICY_CAP);
  EXPECT_EQ(value.workers, 32U);
  EXPECT_EQ(value.cap, 48U);
  EXPECT_EQ(value.bucket_interval_ns, 2'380'952U) << "1.05 x 400 a second";
  second(4000);
  second(4000);
  EXPECT_EQ(share(), 0U) << "the kernel decides, not the share";
  ServiceConfig observed = capped();
  observed.policy = FLARE_POLICY_OBSERVE;
  apply(with({observed}));
  EXPECT_EQ(tables_.only_service().cap, 48U) << "to say what it would spill";
  EXPECT_EQ(tables_.only_service().policy, FLARE_POLICY_OBSERVE);
  observed.policy = FLARE_POLICY_FORMULA;
  apply(with({observed}));
  EXPECT_EQ(tables_.only_service().cap, 0U);
}

TEST_F(Services, UnderCapLearnTheirCapacityAndKeepIt) {
  ServiceConfig service = capped();
  service.capacity_rps = 0;
  apply(with({service}));
  EXPECT_EQ(tables_.only_service().bucket_interval_ns, 0U) << "unknown: no bucket";
  const auto saturated = [this](std::uint64_t answers) {
    tables_.counters_[0].tier[FLARE_TIER_VM].answers += answers;
    tables_.counters_[0].busy += 450;
    second(450);
  };
  second(0);
  saturated(438);
  EXPECT_EQ(tables_.infos_[0].capacity_mrps, 438'000U);
  EXPECT_EQ(tables_.only_service().bucket_interval_ns, 2'174'386U) << "1.05 x 438 a second";
  saturated(238);
  EXPECT_EQ(tables_.infos_[0].capacity_mrps, 338'000U) << "the machines became slower";
  for (int i = 0; i < 3; ++i) second(100);
  EXPECT_EQ(tables_.infos_[0].capacity_mrps, 338'000U);
  apply(with({service}));
  EXPECT_EQ(tables_.infos_[0].capacity_mrps, 338'000U) << "a reload";
  ServiceSet next{tables_, *log_, kKey};
  ASSERT_TRUE(next.apply(with({service}), {}, now_));
  EXPECT_EQ(tables_.infos_[0].capacity_mrps, 338'000U) << "another agent";
  service.capacity_rps = 500;
  ASSERT_TRUE(next.apply(with({service}), {}, now_));
  EXPECT_EQ(tables_.infos_[0].capacity_mrps, 500'000U) << "told anew";
}

TEST_F(Services, MoveOpenConnectionsUntilTheShareIsThere) {
  ServiceConfig config = web();
  config.move.how = FLARE_MOVE_CLOSE;
  apply(with({config}));
  ASSERT_TRUE(set_.pin("web", 0.5));
  const auto tenths = [this](std::uint64_t vm, std::uint64_t serverless) {
    for (int i = 0; i < 20; ++i) {
      now_ += kSecond / 10;
      tables_.counters_[0].tier[FLARE_TIER_VM].requests += vm / 10;
      tables_.counters_[0].tier[FLARE_TIER_SERVERLESS].requests += serverless / 10;
      ASSERT_TRUE(set_.move(now_));
    }
  };
  tenths(400, 0);
  EXPECT_EQ(tables_.only_service().move, FLARE_MOVE_CLOSE);
  EXPECT_EQ(tables_.only_service().move_gated, 0);
  EXPECT_NEAR(1e9 / static_cast<double>(tables_.only_service().move_interval_ns[FLARE_TIER_VM]),
              100, 20);
  EXPECT_EQ(tables_.only_service().move_interval_ns[FLARE_TIER_SERVERLESS], 0U);
  EXPECT_NEAR(static_cast<double>(tables_.infos_[0].move_rate_mcps[FLARE_TIER_VM]), 1e5, 2e4);
  tenths(200, 200);
  EXPECT_EQ(tables_.only_service().move_interval_ns[FLARE_TIER_VM], 0U) << "it is there";
  ASSERT_TRUE(set_.pin("web", 0.0));
  tenths(200, 200);
  EXPECT_GT(tables_.only_service().move_interval_ns[FLARE_TIER_SERVERLESS], 0U) << "home";
}

TEST_F(Services, WithoutMoveLeaveOpenConnectionsAlone) {
  apply(with({web()}));
  const std::size_t writes = tables_.service_writes;
  ASSERT_TRUE(set_.move(now_ + kSecond));
  ASSERT_TRUE(set_.move(now_ + 2 * kSecond));
  EXPECT_EQ(tables_.service_writes, writes);
}

TEST_F(Services, NumberTheirSteeringAtEachTurn) {
  apply(with({web()}));
  second(0);
  for (int i = 0; i < 3; ++i) second(400);
  EXPECT_EQ(tables_.only_service().steering, 0U);
  second(800);
  const unsigned turned = tables_.only_service().steering;
  EXPECT_EQ(turned, 1U) << "a spill starts";
  ServiceSet next(tables_, *log_, kKey);
  ASSERT_TRUE(next.apply(with({web()}), {}, now_ + kSecond));
  EXPECT_EQ(tables_.only_service().steering, turned) << "kept by the next agent";
}

TEST_F(Services, OfUdpCountFlowsAsTheirLoad) {
  ServiceConfig service = web();
  service.protocol = Protocol::kUdp;
  apply(with({service}));
  tables_.counters_[0].tier[FLARE_TIER_VM].flows_new += 800;
  second(0);
  EXPECT_EQ(share(), 0U);
  tables_.counters_[0].tier[FLARE_TIER_VM].flows_new += 800;
  second(0);
  EXPECT_NEAR(share_to_fraction(share()), 0.5, 1e-6);
}

TEST_F(Services, ObservedWithoutACapacityWantNothing) {
  ServiceConfig service = web();
  service.policy = FLARE_POLICY_OBSERVE;
  service.capacity_rps = 0;
  apply(with({service}));
  second(100);
  second(100);
  EXPECT_EQ(tables_.infos_[0].wanted_share, 0U);
}

TEST_F(Services, KeepTheirFloor) {
  ServiceConfig service = web();
  service.min_share = 0.25;
  apply(with({service}));
  EXPECT_EQ(share(), FLARE_SHARE_ONE / 4);
  second(10);
  second(10);
  EXPECT_EQ(share(), FLARE_SHARE_ONE / 4);
}

TEST_F(Services, CountTurnedAwayFlowsAsLoad) {
  ServiceConfig service = web();
  service.overload = FLARE_OVERLOAD_REJECT;
  apply(with({service}));
  second(400);
  tables_.counters_[0].refused[FLARE_REFUSAL_SPEND_RATE] += 400;
  second(400);
  EXPECT_EQ(tables_.infos_[0].arrivals_mrps, 800'000U);
}

TEST_F(Services, ObeyAPinUntilItIsGivenBack) {
  apply(with({web()}));
  const auto change = set_.pin("web", 0.25);
  ASSERT_TRUE(change);
  EXPECT_EQ(change->before, 0);
  EXPECT_EQ(change->after, 0.25);
  EXPECT_EQ(share(), FLARE_SHARE_ONE / 4);
  second(0);
  second(4000);
  EXPECT_EQ(share(), FLARE_SHARE_ONE / 4);
  EXPECT_EQ(tables_.infos_[0].share_pinned, 1);
  apply(with({web()}));
  EXPECT_EQ(share(), FLARE_SHARE_ONE / 4) << "a reload keeps it";
  ASSERT_TRUE(set_.pin("web", std::nullopt));
  EXPECT_GT(share(), FLARE_SHARE_ONE / 2) << "what the policy wants";
  EXPECT_FALSE(set_.pin("wep", 1));
}

TEST_F(Services, PinnedUnderObserveAreEnforced) {
  ServiceConfig service = web();
  service.policy = FLARE_POLICY_OBSERVE;
  apply(with({service}));
  const auto change = set_.pin("web", 1);
  ASSERT_TRUE(change);
  EXPECT_TRUE(change->overrides_observe);
  EXPECT_EQ(tables_.only_service().policy, FLARE_POLICY_FORMULA);
  ASSERT_TRUE(set_.pin("web", std::nullopt));
  EXPECT_EQ(tables_.only_service().policy, FLARE_POLICY_OBSERVE);
  EXPECT_EQ(share(), 0U);
}

TEST_F(Services, DrainAndUndrainABackend) {
  apply(with({web()}));
  const Endpoint first = web().serverless[0].endpoint;
  const auto change = set_.drain("web", first, true);
  ASSERT_TRUE(change);
  EXPECT_EQ(change->second, "draining");
  EXPECT_EQ(tables_.ids_in_table(0), (std::set<std::uint32_t>{2}));
  EXPECT_EQ(tables_.backends_[1].state, FLARE_BACKEND_DRAINING);
  apply(with({web()}));
  EXPECT_EQ(tables_.ids_in_table(0), (std::set<std::uint32_t>{2})) << "a reload keeps it";
  ASSERT_TRUE(set_.drain("web", web().serverless[1].endpoint, true));
  EXPECT_TRUE(tables_.table(0).empty()) << "nobody is left";
  ASSERT_TRUE(set_.drain("web", first, false));
  EXPECT_EQ(tables_.ids_in_table(0), (std::set<std::uint32_t>{1}));
  EXPECT_FALSE(set_.drain("web", *Endpoint::parse("198.51.100.9:80"), true));
}

TEST_F(Services, KeepTheirIdsThroughAReload) {
  apply(with({web(), api()}));
  EXPECT_STREQ(tables_.infos_[1].name, "api");
  ServiceConfig swapped = web();
  std::swap(swapped.serverless[0], swapped.serverless[1]);
  swapped.serverless.push_back({*Endpoint::parse("198.51.100.7:80"), 1, FLARE_BACKEND_ACTIVE});
  apply(with({api(), swapped}));
  EXPECT_STREQ(tables_.infos_[0].name, "web");
  EXPECT_STREQ(tables_.infos_[1].name, "api");
  EXPECT_EQ(Address{tables_.backends_[1].addr}.text(), "198.51.100.1");
  EXPECT_EQ(Address{tables_.backends_[3].addr}.text(), "198.51.100.1") << "of api";
  EXPECT_EQ(Address{tables_.backends_[4].addr}.text(), "198.51.100.7");
  EXPECT_EQ(tables_.backends_[1].generation, 1U);
}

TEST_F(Services, GetAHigherGenerationWithAnotherAddress) {
  ServiceConfig service = web();
  for (int round = 0; round < 9; ++round) {
    service.serverless.resize(1);
    service.serverless[0].endpoint.port = static_cast<std::uint16_t>(1000 + round);
    apply(with({service}));
  }
  // Seven ids, each given out once before the first is given out again.
  EXPECT_EQ(tables_.backends_[1].generation, 2U);
  EXPECT_EQ(tables_.backends_[2].generation, 2U);
  EXPECT_EQ(tables_.backends_[3].generation, 1U);
  EXPECT_EQ(tables_.backends_[3].port, 0) << "free, but its flows go on";
  EXPECT_TRUE(tables_.cleared_backends.contains(1));
}

TEST_F(Services, RenamedKeepTheIdOfTheirFrontend) {
  apply(with({web(), api()}));
  ServiceConfig renamed = api();
  renamed.name = "api-v2";
  apply(with({web(), renamed}));
  EXPECT_STREQ(tables_.infos_[1].name, "api-v2");
  EXPECT_EQ(tables_.service_count(), 2U);
}

TEST_F(Services, ThatSwapFrontendsKeepTheIdsOfTheirNames) {
  apply(with({web(), api()}));
  ServiceConfig a = web();
  ServiceConfig b = api();
  std::swap(a.frontend, b.frontend);
  apply(with({a, b}));
  EXPECT_STREQ(tables_.infos_[0].name, "web");
  EXPECT_EQ(ntohs(tables_.infos_[0].frontend.port), 81);
  EXPECT_STREQ(tables_.infos_[1].name, "api");
}

TEST_F(Services, RemovedSpillNothingNewAndGoWhenTheirFlowsEnded) {
  apply(with({web(), api()}));
  ASSERT_TRUE(set_.pin("web", 1));
  tables_.admission_[0].active = 3;
  apply(with({api()}));
  EXPECT_EQ(tables_.service_count(), 2U) << "known flows still need the entry";
  EXPECT_STREQ(tables_.infos_[0].name, "");
  for (int i = 0; i < 60; ++i) second(0);
  EXPECT_EQ(tables_.service_count(), 2U);
  tables_.admission_[0].active = 0;
  second(0);
  EXPECT_EQ(tables_.service_count(), 1U);
}

TEST_F(Services, RemovedHaveShareAndBucketZero) {
  apply(with({web()}));
  ASSERT_TRUE(set_.pin("web", 1));
  apply(with({}));
  EXPECT_EQ(share(), 0U);
  EXPECT_EQ(tables_.only_service().bucket_interval_ns, 0U);
  EXPECT_EQ(tables_.only_service().policy, FLARE_POLICY_OBSERVE);
  apply(with({web()}));
  EXPECT_EQ(tables_.only_service().id, 0U);
  EXPECT_EQ(tables_.only_service().epoch, 4U);
}

TEST_F(Services, AreAdoptedByTheNextAgent) {
  apply(with({web(), api()}));
  second(0);
  second(800);
  const std::uint64_t before = share();
  ASSERT_GT(before, 0U);
  const auto backends = tables_.backends_;
  ServiceSet next(tables_, *log_, kKey);
  ASSERT_TRUE(next.apply(with({api(), web()}), {}, now_ + kSecond));
  EXPECT_EQ(share(), before) << "tended until a moment ago";
  EXPECT_STREQ(tables_.infos_[0].name, "web");
  for (std::size_t i = 0; i < backends.size(); ++i) {
    EXPECT_EQ(tables_.backends_[i].generation, backends[i].generation) << i;
  }
}

TEST_F(Services, ThatNobodyTendedStartAtZero) {
  apply(with({web()}));
  second(0);
  second(800);
  ASSERT_GT(share(), 0U);
  ServiceSet next(tables_, *log_, kKey);
  ASSERT_TRUE(next.apply(with({web()}), {}, now_ + 60 * kSecond));
  EXPECT_EQ(share(), 0U);
}

TEST_F(Services, AreWrittenBackWhereTheNewConfigurationCannotBeWritten) {
  apply(with({web()}));
  const flare_service before = tables_.only_service();
  const auto table = tables_.table(0);
  ServiceConfig changed = web();
  changed.capacity_rps = 800;
  changed.serverless[0].weight = 0;
  tables_.failing_write = 2;  // web is written, api is not
  const auto applied = set_.apply(with({changed, api()}), set_.state(), now_);
  ASSERT_FALSE(applied);
  EXPECT_NE(applied.error().message().find("the configuration before is in force"),
            std::string::npos)
      << applied.error().message();
  EXPECT_EQ(tables_.service_count(), 1U);
  EXPECT_EQ(tables_.only_service().bucket_interval_ns, before.bucket_interval_ns);
  EXPECT_EQ(tables_.table(0), table);
  EXPECT_EQ(tables_.backends_[1].weight, 1U);
  EXPECT_STREQ(tables_.infos_[1].name, "");
}

TEST_F(Services, DoNotBeatWhereAWriteFailed) {
  apply(with({web()}));
  second(0);
  const std::uint64_t beat = tables_.beat_ns_;
  EXPECT_EQ(beat, now_);
  tables_.all_writes_fail = true;
  tables_.counters_[0].tier[FLARE_TIER_VM].requests += 5000;
  now_ += kSecond;
  EXPECT_FALSE(set_.tick(now_, 0));
  EXPECT_EQ(tables_.beat_ns_, beat);
}

TEST_F(Services, AreRefusedWhereIdsRunOut) {
  std::vector<ServiceConfig> many;
  for (int i = 0; i < 5; ++i) {
    many.push_back(api());
    many.back().name = "s" + std::to_string(i);
    many.back().frontend.port = static_cast<std::uint16_t>(100 + i);
  }
  const auto applied = set_.apply(with(many), {}, now_);
  ASSERT_FALSE(applied);
  EXPECT_NE(applied.error().message().find("no service id is free"), std::string::npos);
  EXPECT_EQ(tables_.service_count(), 0U);
}

}  // namespace
}  // namespace flare
