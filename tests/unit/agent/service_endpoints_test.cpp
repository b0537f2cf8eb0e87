// What control planes tell of a service's backends and workers, and how the maps follow.
#include <arpa/inet.h>

#include "control/formula.h"
#include "loop/line_server.h"
#include "service/endpoint_report.h"
#include "service_set_fixture.h"

namespace flare {
namespace {

using test::kKey;
using test::kSecond;
using test::Services;
using test::web;
using test::with;
using Ids = std::set<std::uint32_t>;

/// VM backends with ids 1 and 2, a serverless one with id 3.
ServiceConfig vip() {
  ServiceConfig service = web();
  service.name = "vip";
  service.placement = FLARE_PLACEMENT_BALANCER;
  service.policy = FLARE_POLICY_CAP;
  service.capacity_rps = 0;
  service.vm = {{*Endpoint::parse("198.51.100.11:80"), 1, FLARE_BACKEND_ACTIVE, 4, 50},
                {*Endpoint::parse("198.51.100.12:80"), 1, FLARE_BACKEND_ACTIVE, 6, 70}};
  service.serverless.resize(1);
  return service;
}

/// A service whose VM tier is the control plane's.
ServiceConfig empty_vip() {
  ServiceConfig service = vip();
  service.vm.clear();
  return service;
}

Endpoint vm(int number) {
  return *Endpoint::parse("198.51.100." + std::to_string(10 + number) + ":80");
}

ToldBackend pod(std::uint32_t workers = 4, double capacity_rps = 50) {
  return {FLARE_TIER_VM, 1, workers, capacity_rps};
}

constexpr std::optional<std::optional<std::uint32_t>> kAsConfigured(std::in_place, std::nullopt);

class Endpoints : public Services {
 protected:
  const flare_service& value() const { return tables_.only_service(); }
  Ids vms() { return tables_.ids_in_table(0, FLARE_TIER_VM); }
  EndpointChange add(const Endpoint& endpoint, const ToldBackend& backend,
                     std::optional<std::uint64_t> generation = {}) {
    auto change = set_.add_backend("vip", endpoint, backend, generation, now_);
    EXPECT_TRUE(change) << change.error().message();
    return change ? *change : EndpointChange{};
  }
  EndpointChange remove(const Endpoint& endpoint, std::optional<std::uint64_t> generation = {}) {
    auto change = set_.remove_backend("vip", endpoint, generation, now_);
    EXPECT_TRUE(change) << change.error().message();
    return change ? *change : EndpointChange{};
  }
  EndpointChange set_workers(const WorkersChange& asked) {
    auto change = set_.set_workers("vip", asked, {}, now_);
    EXPECT_TRUE(change) << change.error().message();
    return change ? *change : EndpointChange{};
  }
  std::string refusal(const Endpoint& endpoint, const ToldBackend& backend,
                      std::optional<std::uint64_t> generation = {}) {
    const SavedState before = set_.state();
    const auto change = set_.add_backend("vip", endpoint, backend, generation, now_);
    EXPECT_EQ(set_.state(), before);
    return change ? "taken" : change.error().message();
  }
  std::uint64_t generation() const { return set_.state().told.at("vip").generation; }
  void judge(const Endpoint& endpoint, HealthPhase phase, flare_backend_state state) {
    BackendVerdict verdict;
    verdict.phase = phase;
    verdict.state = state;
    ASSERT_TRUE(set_.set_health("vip", FLARE_TIER_VM, {{endpoint, verdict}}));
  }
};

TEST_F(Endpoints, OfTheConfigurationAreAddedUp) {
  apply(with({vip()}));
  EXPECT_EQ(value().workers, 10U);
  EXPECT_EQ(value().cap, 15U);
  EXPECT_EQ(tables_.infos_[0].capacity_mrps, 120'000U);
  EXPECT_EQ(value().bucket_interval_ns, 7'936'508U) << "1.05 x 120";
  EXPECT_EQ(tables_.infos_[0].workers_learned, 0);
}

TEST_F(Endpoints, ThatAreAddedTakeFlowsAndRaiseTheCapAtOnce) {
  apply(with({vip()}));
  const EndpointChange change = add(vm(3), pod());
  EXPECT_TRUE(change.changed);
  EXPECT_EQ(vms(), (Ids{1, 2, 4}));
  EXPECT_EQ(Address{tables_.backends_[4].addr}.text(), "198.51.100.13");
  EXPECT_EQ(tables_.backends_[4].generation, 1U);
  EXPECT_EQ(value().workers, 14U);
  EXPECT_EQ(value().cap, 21U);
  EXPECT_EQ(tables_.infos_[0].capacity_mrps, 170'000U);
  EXPECT_EQ(change.before.workers, 10U);
  EXPECT_TRUE(change.before.backends.empty());
  EXPECT_EQ(change.after.cap, 21U);
  ASSERT_EQ(change.after.backends.size(), 1U);
  EXPECT_TRUE(change.after.backends[0].told);
}

TEST_F(Endpoints, ThatAreTheFirstGiveAServiceItsVmTier) {
  apply(with({empty_vip()}));
  EXPECT_TRUE(vms().empty()) << "everything spills";
  EXPECT_EQ(value().cap, 0U);
  add(vm(1), pod());
  EXPECT_EQ(vms(), (Ids{2}));
  EXPECT_EQ(value().workers, 4U);
  EXPECT_EQ(value().cap, 6U);
  remove(vm(1));
  EXPECT_TRUE(vms().empty());
}

TEST_F(Endpoints, CountWhileTheyTakeNewFlows) {
  apply(with({vip()}));
  ASSERT_TRUE(set_.drain("vip", vm(2), true));
  EXPECT_EQ(value().workers, 4U) << "drained";
  EXPECT_EQ(value().cap, 6U);
  ASSERT_TRUE(set_.drain("vip", vm(2), false));
  EXPECT_EQ(value().workers, 10U);
  judge(vm(1), HealthPhase::kEjected, FLARE_BACKEND_DRAINING);
  EXPECT_EQ(value().workers, 6U) << "ejected";
  judge(vm(1), HealthPhase::kTrial, FLARE_BACKEND_ACTIVE);
  EXPECT_EQ(value().workers, 6U) << "on trial it takes a trickle";
  judge(vm(1), HealthPhase::kSlowStart, FLARE_BACKEND_ACTIVE);
  EXPECT_EQ(value().workers, 10U) << "back";
  judge(vm(1), HealthPhase::kDown, FLARE_BACKEND_DOWN);
  EXPECT_EQ(value().workers, 6U) << "down";
  EXPECT_EQ(tables_.infos_[0].capacity_mrps, 70'000U);
  ASSERT_TRUE(set_.set_health("vip", FLARE_TIER_VM, {}));
  EXPECT_EQ(tables_.infos_[0].capacity_mrps, 120'000U);
  add(vm(2), {FLARE_TIER_VM, 0, 6, 70});
  EXPECT_EQ(value().workers, 4U) << "without weight";
}

TEST_F(Endpoints, OnTrialCountWhereThereIsNoOther) {
  ServiceConfig service = vip();
  service.vm.resize(1);
  apply(with({service}));
  judge(vm(1), HealthPhase::kTrial, FLARE_BACKEND_ACTIVE);
  EXPECT_EQ(value().cap, 6U) << "a cap of 0 would be none";
}

TEST_F(Endpoints, OfWhichNoneIsUsableLeaveTheFiguresAsTheyWere) {
  apply(with({vip()}));
  ASSERT_TRUE(set_.drain("vip", vm(1), true));
  ASSERT_TRUE(set_.drain("vip", vm(2), true));
  EXPECT_TRUE(vms().empty());
  EXPECT_EQ(value().workers, 6U);
  ASSERT_TRUE(set_.drain("vip", vm(1), false));
  EXPECT_EQ(value().workers, 4U);
  EXPECT_EQ(tables_.infos_[0].capacity_mrps, 50'000U);
}

TEST_F(Endpoints, GiveTheFormulaItsCapacity) {
  ServiceConfig service = vip();
  service.policy = FLARE_POLICY_FORMULA;
  apply(with({service}));
  EXPECT_EQ(value().cap, 0U);
  EXPECT_EQ(value().bucket_interval_ns, 8'333'333U) << "120 a second";
  second(0);
  second(240);
  second(240);
  EXPECT_EQ(share(), share_from_fraction(0.5));
  add(vm(3), pod(4, 120));
  EXPECT_EQ(value().bucket_interval_ns, 4'166'667U);
  second(240);
  EXPECT_EQ(share(), 0U);
}

TEST_F(Endpoints, TakeTheirPartOfWhatWasLearned) {
  apply(with({vip()}));
  second(0);
  tables_.counters_[0].busy += 60;
  tables_.counters_[0].tier[FLARE_TIER_VM].answers += 60;
  second(60);
  EXPECT_EQ(tables_.infos_[0].capacity_mrps, 90'000U) << "half the way from 120 to 60";
  add(vm(3), pod(10, 120));
  EXPECT_EQ(tables_.infos_[0].capacity_mrps, 180'000U);
  EXPECT_EQ(value().bucket_interval_ns, 5'291'005U) << "1.05 x 180";
  apply(with({vip()}));
  EXPECT_EQ(tables_.infos_[0].capacity_mrps, 180'000U) << "a reload";
  remove(vm(3));
  EXPECT_EQ(tables_.infos_[0].capacity_mrps, 90'000U);
}

TEST_F(Endpoints, WithWorkersAloneScaleWhatWasLearned) {
  ServiceConfig service = vip();
  for (BackendConfig& backend : service.vm) backend.capacity_rps = 0;
  apply(with({service}));
  second(0);
  tables_.counters_[0].busy += 100;
  tables_.counters_[0].tier[FLARE_TIER_VM].answers += 100;
  second(100);
  EXPECT_EQ(tables_.infos_[0].capacity_mrps, 100'000U);
  add(vm(3), pod(10, 0));
  EXPECT_EQ(tables_.infos_[0].capacity_mrps, 200'000U);
  remove(vm(1));
  EXPECT_EQ(tables_.infos_[0].capacity_mrps, 160'000U);
}

TEST_F(Endpoints, SaidAgainChangeNothing) {
  apply(with({vip()}));
  add(vm(3), pod(), 7);
  const std::size_t writes = tables_.service_writes;
  const std::size_t batches = tables_.table_batches;
  const EndpointChange again = add(vm(3), pod(), 7);
  EXPECT_FALSE(again.changed);
  EXPECT_EQ(again.after.backends.size(), 1U);
  EXPECT_FALSE(add(vm(3), pod(), 9).changed);
  EXPECT_EQ(generation(), 9U) << "a higher one is kept all the same";
  EXPECT_FALSE(add(vm(3), pod()).changed);
  EXPECT_EQ(generation(), 9U) << "there was nothing to count";
  EXPECT_TRUE(remove(vm(3), 9).changed);
  EXPECT_FALSE(remove(vm(3), 9).changed);
  EXPECT_FALSE(remove(*Endpoint::parse("198.51.100.99:1"), 9).changed);
  EXPECT_EQ(tables_.service_writes, writes + 1) << "of the removal";
  EXPECT_EQ(tables_.table_batches, batches + 1);
}

TEST_F(Endpoints, AreToldInTheOrderOfGenerations) {
  apply(with({vip()}));
  add(vm(3), pod(), 7);
  EXPECT_EQ(refusal(vm(4), pod(), 6),
            "generation 6 is stale: service 'vip' is at 7; accepted: 7 or higher");
  EXPECT_FALSE(set_.remove_backend("vip", vm(3), 6, now_));
  EXPECT_FALSE(set_.set_workers("vip", {.workers = {}, .capacity_rps = {{1.0}}}, 6, now_));
  EXPECT_FALSE(set_.drain("vip", vm(3), true, 6));
  EXPECT_EQ(vms(), (Ids{1, 2, 4}));
  ASSERT_TRUE(set_.drain("vip", vm(3), true, 8));
  EXPECT_EQ(generation(), 8U);
  ASSERT_TRUE(set_.drain("vip", vm(3), false));
  EXPECT_EQ(generation(), 8U) << "by hand";
  add(vm(4), pod());
  EXPECT_EQ(generation(), 9U) << "the next";
  remove(vm(4), UINT64_MAX);
  remove(vm(3));
  EXPECT_EQ(generation(), UINT64_MAX) << "there is no next";
}

TEST_F(Endpoints, ThatAreThereGetOtherValues) {
  apply(with({vip()}));
  ToldBackend heavy = pod(40, 50);
  heavy.weight = 3;
  EXPECT_TRUE(add(vm(1), heavy).changed);
  EXPECT_EQ(tables_.backends_[1].weight, 3U);
  EXPECT_EQ(tables_.backends_[1].generation, 1U) << "its flows stay its own";
  EXPECT_EQ(value().workers, 46U);
  const auto all = set_.endpoints("vip");
  ASSERT_TRUE(all);
  EXPECT_TRUE((*all)[0].backends[0].told);
  EXPECT_FALSE((*all)[0].backends[1].told);
}

TEST_F(Endpoints, OfTheConfigurationStayRemoved) {
  apply(with({vip()}));
  ASSERT_TRUE(set_.drain("vip", vm(1), true));
  EXPECT_TRUE(remove(vm(1)).changed);
  EXPECT_EQ(vms(), (Ids{2}));
  EXPECT_EQ(value().workers, 6U);
  EXPECT_EQ(tables_.backends_[1].port, 0);
  EXPECT_EQ(tables_.backends_[1].state, FLARE_BACKEND_DRAINING)
      << "no client of old may be sent to it";
  EXPECT_EQ(tables_.backends_[1].generation, 1U) << "its open flows go on";
  apply(with({vip()}));
  EXPECT_EQ(vms(), (Ids{2})) << "a reload";
  ServiceSet next{tables_, *log_, kKey};
  ASSERT_TRUE(next.apply(with({vip()}), set_.state(), now_));
  EXPECT_EQ(vms(), (Ids{2})) << "a restart";
  add(vm(1), pod());
  EXPECT_EQ(vms(), (Ids{2, 4})) << "undrained, under an id that is not in use";
  EXPECT_TRUE(set_.state().drained.empty());
  EXPECT_TRUE(set_.state().told.at("vip").removed.empty());
}

TEST_F(Endpoints, ThatLeaveTheConfigurationAreForgottenAsRemoved) {
  apply(with({vip()}));
  remove(vm(1));
  ServiceConfig fewer = vip();
  fewer.vm.erase(fewer.vm.begin());
  apply(with({fewer}));
  EXPECT_TRUE(set_.state().told.at("vip").removed.empty());
  apply(with({vip()}));
  EXPECT_EQ(value().workers, 10U) << "it is configured anew";
}

TEST_F(Endpoints, HoldAfterAReloadAndARestart) {
  apply(with({vip()}));
  add(vm(3), pod());
  const auto tables = tables_.table(0, FLARE_TIER_VM);
  const std::size_t batches = tables_.table_batches;
  const auto epoch = value().epoch;
  apply(with({vip()}));
  ServiceSet next{tables_, *log_, kKey};
  ASSERT_TRUE(next.apply(with({vip()}), set_.state(), now_));
  EXPECT_EQ(tables_.table(0, FLARE_TIER_VM), tables);
  EXPECT_EQ(tables_.table_batches, batches + 1) << "the restart cannot know what stands";
  EXPECT_EQ(value().epoch, epoch);
  EXPECT_EQ(tables_.backends_[4].generation, 1U);
  EXPECT_EQ(value().workers, 14U);
  ServiceConfig dropped = vip();
  dropped.vm.pop_back();
  apply(with({dropped}));
  EXPECT_EQ(vms(), (Ids{1, 4})) << "what was told stays";
}

TEST_F(Endpoints, OfServerlessAreToldToo) {
  apply(with({vip()}));
  ToldBackend more;
  more.tier = FLARE_TIER_SERVERLESS;
  add(*Endpoint::parse("198.51.100.7:80"), more);
  EXPECT_EQ(tables_.ids_in_table(0), (Ids{3, 4}));
  remove(*Endpoint::parse("198.51.100.1:80"));
  EXPECT_EQ(tables_.ids_in_table(0), (Ids{4}));
  EXPECT_EQ(value().workers, 10U);
  more.workers = 4;
  EXPECT_NE(refusal(*Endpoint::parse("198.51.100.8:80"), more).find("of a serverless backend"),
            std::string::npos);
  EXPECT_NE(refusal(vm(1), {FLARE_TIER_SERVERLESS, 1, 0, 0}).find("is in tier vm; accepted"),
            std::string::npos);
}

TEST_F(Endpoints, PublishTheirServiceAlone) {
  ServiceConfig other = vip();
  other.name = "other";
  other.frontend = *Endpoint::parse("192.0.2.10:81");
  other.vm.resize(1);
  apply(with({vip(), other}));
  const std::size_t writes = tables_.service_writes;
  const std::size_t tables = tables_.table_writes;
  add(vm(3), pod());
  EXPECT_EQ(tables_.service_writes, writes + 1);
  EXPECT_EQ(tables_.table_writes, tables + 1);
}

TEST_F(Endpoints, WithTheHostsOwnAddressChangeWhatRepliesMayLookLike) {
  ASSERT_TRUE(set_.set_host_addresses({*Address::parse("198.51.100.13")}));
  apply(with({vip()}));
  EXPECT_EQ(tables_.settings_.plain_replies, 0);
  add(vm(3), pod());
  EXPECT_EQ(tables_.settings_.plain_replies, 1);
  EXPECT_EQ(tables_.backends_[4].flags, FLARE_BACKEND_LOCAL);
  ASSERT_TRUE(
      set_.set_host_addresses({*Address::parse("198.51.100.13"), *Address::parse("192.0.2.77")}));
  EXPECT_EQ(tables_.settings_.plain_replies, 1);
}

TEST_F(Endpoints, ThatCannotBePublishedAreNotTold) {
  apply(with({vip()}));
  const auto tables = tables_.table(0, FLARE_TIER_VM);
  tables_.failing_write = 1;
  EXPECT_NE(refusal(vm(3), pod()).find("the write failed; all is as it was"), std::string::npos);
  EXPECT_EQ(tables_.table(0, FLARE_TIER_VM), tables);
  EXPECT_EQ(tables_.backends_[4].port, 0);
  EXPECT_EQ(value().workers, 10U);
  ASSERT_TRUE(set_.drain("vip", vm(1), true));
  tables_.backend_writes_fail = true;
  EXPECT_FALSE(set_.remove_backend("vip", vm(1), {}, now_));
  tables_.backend_writes_fail = false;
  EXPECT_TRUE(set_.state().drained.at("vip").contains(vm(1)));
  ASSERT_TRUE(set_.drain("vip", vm(1), false));
  EXPECT_EQ(value().workers, 10U);
  for (int i = 3; i < 7; ++i) add(vm(i), pod());
  EXPECT_NE(refusal(vm(8), pod()).find("no backend id is free"), std::string::npos);
}

TEST_F(Endpoints, ThatWereRemovedForgetTheirHealth) {
  apply(with({vip()}));
  judge(vm(1), HealthPhase::kDown, FLARE_BACKEND_DOWN);
  remove(vm(1));
  add(vm(1), pod());
  EXPECT_EQ(value().workers, 10U);
  EXPECT_EQ(vms(), (Ids{2, 4}));
}

TEST_F(Endpoints, OfAReceiverAreItsWorkers) {
  ServiceConfig service = web();
  service.name = "vip";
  service.policy = FLARE_POLICY_CAP;
  service.capacity_rps = 0;
  apply(with({service}));
  EXPECT_EQ(value().cap, 0U) << "nothing is learned yet";
  EXPECT_NE(refusal(vm(1), pod()).find("accepted: tier serverless, or workers-set"),
            std::string::npos);
  EXPECT_TRUE(set_workers({.workers = {{16}}, .capacity_rps = {{220.0}}}).changed);
  EXPECT_EQ(value().cap, 24U);
  EXPECT_EQ(tables_.infos_[0].capacity_mrps, 220'000U);
  EXPECT_FALSE(set_workers({.workers = {{16}}, .capacity_rps = {}}).changed);
  EXPECT_TRUE(set_workers({.workers = {{32}}, .capacity_rps = {}}).changed);
  EXPECT_EQ(value().cap, 48U);
  EXPECT_EQ(tables_.infos_[0].capacity_mrps, 440'000U) << "what was known, for twice the workers";
  apply(with({service}));
  EXPECT_EQ(value().cap, 48U);
  EXPECT_TRUE(set_workers({.workers = kAsConfigured, .capacity_rps = {}}).changed);
  EXPECT_EQ(value().cap, 0U) << "to be learned";
}

TEST_F(Endpoints, AnswersFitIntoTheSocket) {
  ServiceEndpoints one;
  one.service = std::string(63, 's');
  EndpointView view;
  view.backend = {*Endpoint::parse("[2001:db8:1111:2222:3333:4444:5555:6666]:65535"), 65'535,
                  FLARE_BACKEND_DRAINING, 1'000'000, 1234567.890123};
  view.state = FLARE_BACKEND_DRAINING;
  view.tier = FLARE_TIER_SERVERLESS;
  view.told = true;
  one.backends = {view};
  const std::vector<ServiceEndpoints> many(1000, one);
  const auto answer = endpoints_json(many);
  EXPECT_EQ(answer["services"].size(), 700U);
  EXPECT_EQ(answer["left_out"], 300);
  EXPECT_LT(answer.dump().size() + 200, LineServerLimits{}.answer_bytes);
}

}  // namespace
}  // namespace flare
