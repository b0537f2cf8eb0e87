// What verdicts make of states and tables, and what is watched.
#include <algorithm>

#include "loop/line_server.h"
#include "service/health_report.h"
#include "service_set_fixture.h"

namespace flare {
namespace {

using test::kKey;
using test::Services;
using test::web;
using test::with;
using Ids = std::set<std::uint32_t>;

ServiceConfig checked() {
  ServiceConfig service = web();
  service.health.check = HealthConfig::Check::kTcp;
  return service;
}

BackendVerdict verdict(HealthPhase phase, flare_backend_state state,
                       std::uint32_t weight = kFullWeight) {
  BackendVerdict made;
  made.phase = phase;
  made.state = state;
  made.weight = weight;
  return made;
}

class ServiceHealth : public Services {
 protected:
  void judge(const char* backend, const BackendVerdict& verdict) {
    auto set =
        set_.set_health("web", FLARE_TIER_SERVERLESS, {{*Endpoint::parse(backend), verdict}});
    ASSERT_TRUE(set) << set.error().message();
  }
  double part_of(std::uint32_t id) {
    const auto& table = tables_.table(0);
    return static_cast<double>(std::count(table.begin(), table.end(), id)) /
           static_cast<double>(table.size());
  }
};

TEST_F(ServiceHealth, ThatIsDownTakesABackendOutOfMapAndTable) {
  apply(with({checked()}));
  judge("198.51.100.1:80", verdict(HealthPhase::kDown, FLARE_BACKEND_DOWN));
  EXPECT_EQ(tables_.backends_[1].state, FLARE_BACKEND_DOWN);
  EXPECT_EQ(tables_.backends_[2].state, FLARE_BACKEND_ACTIVE);
  EXPECT_EQ(tables_.ids_in_table(0), (Ids{2}));
}

TEST_F(ServiceHealth, ThatIsTheSameWritesNothing) {
  apply(with({checked()}));
  judge("198.51.100.1:80", verdict(HealthPhase::kDown, FLARE_BACKEND_DOWN));
  tables_.backends_[1].state = FLARE_BACKEND_ACTIVE;
  judge("198.51.100.1:80", verdict(HealthPhase::kDown, FLARE_BACKEND_DOWN));
  EXPECT_EQ(tables_.backends_[1].state, FLARE_BACKEND_ACTIVE);
  judge("198.51.100.1:80", verdict(HealthPhase::kEjected, FLARE_BACKEND_DRAINING));
  EXPECT_EQ(tables_.backends_[1].state, FLARE_BACKEND_DRAINING);
}

TEST_F(ServiceHealth, OfAnEjectedBackendLeavesItItsFlows) {
  apply(with({checked()}));
  judge("198.51.100.1:80", verdict(HealthPhase::kEjected, FLARE_BACKEND_DRAINING));
  EXPECT_EQ(tables_.backends_[1].state, FLARE_BACKEND_DRAINING);
  EXPECT_EQ(tables_.ids_in_table(0), (Ids{2}));
}

TEST_F(ServiceHealth, OnTrialIsATrickle) {
  apply(with({checked()}));
  judge("198.51.100.1:80", verdict(HealthPhase::kTrial, FLARE_BACKEND_ACTIVE, kFullWeight / 16));
  EXPECT_EQ(tables_.backends_[1].state, FLARE_BACKEND_ACTIVE);
  EXPECT_NEAR(part_of(1), 1.0 / 17, 0.001);
  EXPECT_EQ(tables_.backends_[1].weight, 1U);
}

TEST_F(ServiceHealth, ChangesNoTablesSize) {
  ServiceConfig service = checked();
  service.serverless[1].weight = 3;
  apply(with({service}));
  const auto before = tables_.table(0);
  judge("198.51.100.1:80", verdict(HealthPhase::kSlowStart, FLARE_BACKEND_ACTIVE, 1));
  EXPECT_EQ(tables_.table(0).size(), before.size());
  EXPECT_GT(part_of(1), 0);
  std::size_t lost = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    lost += before[i] == 2 && tables_.table(0)[i] != 2 ? 1U : 0U;
  }
  EXPECT_LT(lost, 20U) << "the other one keeps its slots";
}

TEST_F(ServiceHealth, ThatIsGoodAgainLeavesNothingBehind) {
  apply(with({checked()}));
  const auto before = tables_.table(0);
  judge("198.51.100.1:80", verdict(HealthPhase::kDown, FLARE_BACKEND_DOWN));
  ASSERT_TRUE(set_.set_health("web", FLARE_TIER_SERVERLESS, {}));
  EXPECT_EQ(tables_.backends_[1].state, FLARE_BACKEND_ACTIVE);
  EXPECT_EQ(tables_.table(0), before);
}

TEST_F(ServiceHealth, OfAllThatAreDownLeavesAnEmptyTable) {
  apply(with({checked()}));
  const BackendVerdict down = verdict(HealthPhase::kDown, FLARE_BACKEND_DOWN);
  ASSERT_TRUE(set_.set_health(
      "web", FLARE_TIER_SERVERLESS,
      {{*Endpoint::parse("198.51.100.1:80"), down}, {*Endpoint::parse("198.51.100.2:80"), down}}));
  EXPECT_TRUE(tables_.table(0).empty());
}

struct StateCase {
  flare_backend_state configured;
  bool drained;
  flare_backend_state health;
  flare_backend_state effective;
};

class Effective : public ServiceHealth, public testing::WithParamInterface<StateCase> {};

TEST_P(Effective, StateIsTheGreatestOfAll) {
  ServiceConfig service = checked();
  service.serverless[0].state = GetParam().configured;
  apply(with({service}));
  ASSERT_TRUE(set_.drain("web", *Endpoint::parse("198.51.100.1:80"), GetParam().drained));
  judge("198.51.100.1:80", verdict(HealthPhase::kDown, GetParam().health));
  EXPECT_EQ(tables_.backends_[1].state, GetParam().effective);
}

INSTANTIATE_TEST_SUITE_P(
    States, Effective,
    testing::Values(
        StateCase{FLARE_BACKEND_ACTIVE, false, FLARE_BACKEND_ACTIVE, FLARE_BACKEND_ACTIVE},
        StateCase{FLARE_BACKEND_ACTIVE, true, FLARE_BACKEND_ACTIVE, FLARE_BACKEND_DRAINING},
        StateCase{FLARE_BACKEND_ACTIVE, true, FLARE_BACKEND_DOWN, FLARE_BACKEND_DOWN},
        StateCase{FLARE_BACKEND_DRAINING, false, FLARE_BACKEND_ACTIVE, FLARE_BACKEND_DRAINING},
        StateCase{FLARE_BACKEND_DRAINING, false, FLARE_BACKEND_DOWN, FLARE_BACKEND_DOWN},
        StateCase{FLARE_BACKEND_DOWN, false, FLARE_BACKEND_ACTIVE, FLARE_BACKEND_DOWN},
        StateCase{FLARE_BACKEND_DOWN, true, FLARE_BACKEND_DRAINING, FLARE_BACKEND_DOWN}));

TEST_F(ServiceHealth, HoldsAfterAReload) {
  apply(with({checked()}));
  judge("198.51.100.1:80", verdict(HealthPhase::kDown, FLARE_BACKEND_DOWN));
  apply(with({checked(), test::api()}));
  EXPECT_EQ(tables_.backends_[1].state, FLARE_BACKEND_DOWN);
}

TEST_F(ServiceHealth, OfABackendFoundDeadHoldsAfterARestart) {
  apply(with({checked()}));
  judge("198.51.100.1:80", verdict(HealthPhase::kDown, FLARE_BACKEND_DOWN));
  ServiceSet next(tables_, *log_, kKey);
  ASSERT_TRUE(next.apply(with({checked()}), {}, now_));
  EXPECT_EQ(tables_.backends_[1].state, FLARE_BACKEND_DOWN);
  const auto tiers = next.watched_tiers();
  ASSERT_EQ(tiers.size(), 1U);
  EXPECT_EQ(tiers[0].members[0].tier.start, BackendHealth::Start::kDown);
  EXPECT_EQ(tiers[0].members[1].tier.start, BackendHealth::Start::kUp);
}

TEST_F(ServiceHealth, OfABackendFoundDeadEndsWithItsChecks) {
  apply(with({checked()}));
  judge("198.51.100.1:80", verdict(HealthPhase::kDown, FLARE_BACKEND_DOWN));
  ServiceSet next(tables_, *log_, kKey);
  ASSERT_TRUE(next.apply(with({web()}), {}, now_));
  EXPECT_EQ(tables_.backends_[1].state, FLARE_BACKEND_ACTIVE);
}

TEST_F(ServiceHealth, IsWatchedInEachTierThatHasBackends) {
  ServiceConfig service = checked();
  service.placement = FLARE_PLACEMENT_BALANCER;
  service.vm = {{*Endpoint::parse("198.51.100.11:80"), 3, FLARE_BACKEND_ACTIVE},
                {*Endpoint::parse("198.51.100.12:80"), 0, FLARE_BACKEND_ACTIVE},
                {*Endpoint::parse("198.51.100.13:80"), 1, FLARE_BACKEND_DOWN},
                {*Endpoint::parse("198.51.100.14:80"), 1, FLARE_BACKEND_ACTIVE}};
  apply(with({service}));
  ASSERT_TRUE(set_.drain("web", *Endpoint::parse("198.51.100.14:80"), true));
  const auto tiers = set_.watched_tiers();
  ASSERT_EQ(tiers.size(), 2U);
  EXPECT_EQ(tiers[0].tier, FLARE_TIER_VM);
  const auto& vm = tiers[0].members;
  ASSERT_EQ(vm.size(), 4U);
  EXPECT_EQ(vm[0].tier.weight, 3U);
  EXPECT_EQ(vm[0].tier.id, 1U);
  EXPECT_EQ(vm[0].tier.start, BackendHealth::Start::kUnknown);
  const auto takes = [&vm](std::size_t at) { return vm[at].tier.takes_flows; };
  EXPECT_TRUE(takes(0));
  EXPECT_FALSE(takes(1)) << "no weight";
  EXPECT_FALSE(takes(2)) << "down by configuration";
  EXPECT_FALSE(takes(3)) << "drained by hand";
  EXPECT_FALSE(vm[2].checked);
  EXPECT_TRUE(vm[3].checked);
}

TEST_F(ServiceHealth, IsNotWatchedWhereNothingIsAskedFor) {
  ServiceConfig service = web();
  service.health.passive = false;
  apply(with({service}));
  EXPECT_TRUE(set_.watched_tiers().empty());
}

TEST_F(ServiceHealth, OfAnUnknownServiceIsAnError) {
  apply(with({web()}));
  EXPECT_FALSE(set_.set_health("nobody", FLARE_TIER_VM, {}));
}

TEST(HealthReport, TellsOfThoseThatAreNotSimplyUp) {
  std::vector<HealthView> views(3);
  for (std::size_t i = 0; i < views.size(); ++i) {
    views[i].service = "web";
    views[i].backend = *Endpoint::parse("198.51.100." + std::to_string(i) + ":80");
  }
  views[1].verdict = {HealthPhase::kDown, FLARE_BACKEND_DOWN, kFullWeight, "check: refused",
                      2'000'000'000};
  views[1].last_check = "failed: refused";
  views[1].last_check_ns = 4'500'000'000;
  views[2].held = "refused 3 connections in a row; not ejected";
  const auto report = health_json(views, 5'000'000'000);
  EXPECT_EQ(report["counts"]["up"], 2);
  EXPECT_EQ(report["counts"]["down"], 1);
  EXPECT_EQ(report["left_out"], 0);
  ASSERT_EQ(report["backends"].size(), 2U);
  EXPECT_EQ(report["backends"][0],
            nlohmann::json::parse(R"({"service":"web","tier":"vm","backend":"198.51.100.1:80",
              "health":"down","reason":"check: refused","weight_part":1.0,"since_s":3.0,
              "check":"failed: refused","check_s_ago":0.5})"));
  EXPECT_EQ(report["backends"][1]["reason"], "refused 3 connections in a row; not ejected");
  EXPECT_EQ(health_sentence(views), "1 of 3 backends that are watched are up");
}

TEST(HealthReport, FitsIntoAnAnswerWhateverIsDown) {
  HealthView view;
  view.service = std::string(63, 's');
  view.backend = *Endpoint::parse("[2001:db8:1111:2222:3333:4444:5555:6666]:65535");
  view.verdict = {HealthPhase::kDown, FLARE_BACKEND_DOWN, kFullWeight, std::string(150, 'x'),
                  2'000'000'000};
  view.last_check = std::string(150, 'y');
  view.last_check_ns = 1;
  const auto report = health_json(std::vector<HealthView>(2048, view), 5'000'000'000);
  EXPECT_EQ(report["left_out"], 2048 - 400);
  EXPECT_LT(report.dump().size(), LineServerLimits{}.answer_bytes);
}

}  // namespace
}  // namespace flare
