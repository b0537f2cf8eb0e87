// What is learned of a service's workers, and what a service tells of its own load.
#include <fcntl.h>
#include <unistd.h>

#include <array>

#include "control/formula.h"
#include "service_set_fixture.h"

namespace flare {
namespace {

using test::kKey;
using test::kSecond;
using test::kStart;
using test::Services;
using test::web;
using test::with;

class LearnedWorkers : public Services {
 protected:
  static ServiceConfig learning() {
    ServiceConfig service = web();
    service.policy = FLARE_POLICY_CAP;
    service.capacity_rps = 0;
    return service;
  }
  /// A second of `answers` requests in the VM tier, each of `took_ms`.
  void answered(std::uint64_t answers, std::uint64_t took_ms) {
    tables_.counters_[0].tier[FLARE_TIER_VM].answers += answers;
    tables_.vm_times_[0].count += answers;
    tables_.vm_times_[0].sum_ns += answers * took_ms * 1'000'000;
    second(answers);
  }
  /// Five seconds of 200 requests, which give the first cap.
  void learned() {
    second(0);
    for (int i = 0; i < 5; ++i) answered(200, 73);
  }
  const flare_service& value() const { return tables_.only_service(); }
};

TEST_F(LearnedWorkers, GiveNoCapBeforeTheyAreLearned) {
  apply(with({learning()}));
  EXPECT_EQ(value().policy, FLARE_POLICY_CAP);
  EXPECT_EQ(value().cap, 0U);
  EXPECT_EQ(value().workers, 0U);
  answered(200, 73);
  EXPECT_EQ(value().cap, 0U) << "the first call only notes the counts";
  for (int i = 0; i < 4; ++i) answered(200, 73);
  EXPECT_EQ(value().cap, 0U);
  EXPECT_EQ(tables_.infos_[0].workers_learned, 0);
  answered(200, 73);
  EXPECT_EQ(value().cap, 33U) << "14.6 busy: 1.5 x 14.6 + 3 x 3.8";
  EXPECT_EQ(value().workers, 22U);
  EXPECT_EQ(tables_.infos_[0].base_ns, 73'000'000U);
  EXPECT_EQ(tables_.infos_[0].workers_learned, 1);
}

TEST_F(LearnedWorkers, GrowWhereTheCapBindsAndNobodyWaits) {
  apply(with({learning()}));
  learned();
  tables_.counters_[0].spilled[FLARE_SPILL_CAP] += 40;
  answered(440, 75);
  EXPECT_EQ(value().cap, 54U) << "1.5 x 440 x 73 ms, and the root of 33 more";
  tables_.counters_[0].over_cap += 1;
  answered(438, 76);
  EXPECT_EQ(value().cap, 61U);
}

TEST_F(LearnedWorkers, AreKeptOverAReloadAndARestart) {
  apply(with({learning()}));
  learned();
  apply(with({learning()}));
  EXPECT_EQ(value().cap, 33U) << "a reload";
  ServiceSet next{tables_, *log_, kKey};
  ASSERT_TRUE(next.apply(with({learning()}), {}, now_));
  EXPECT_EQ(value().workers, 22U);
  EXPECT_EQ(value().cap, 33U) << "another agent";
  EXPECT_EQ(tables_.infos_[0].base_ns, 73'000'000U);
}

TEST_F(LearnedWorkers, GiveWayToToldOnesAndAreLearnedAnew) {
  apply(with({learning()}));
  learned();
  ServiceConfig told = learning();
  told.workers = 64;
  apply(with({told}));
  EXPECT_EQ(value().workers, 64U);
  EXPECT_EQ(value().cap, 96U);
  EXPECT_EQ(tables_.infos_[0].workers_learned, 0);
  EXPECT_EQ(tables_.infos_[0].base_ns, 0U);
  for (int i = 0; i < 5; ++i) answered(200, 500);
  EXPECT_EQ(value().cap, 96U);
  ServiceSet next{tables_, *log_, kKey};
  ASSERT_TRUE(next.apply(with({learning()}), {}, now_));
  EXPECT_EQ(value().cap, 0U) << "64 was told, not learned";
}

TEST_F(LearnedWorkers, GiveWayToThoseOfAControlPlane) {
  apply(with({learning()}));
  learned();
  ASSERT_TRUE(set_.set_workers("web", {.workers = {{64}}, .capacity_rps = {}}, {}, now_));
  EXPECT_EQ(value().cap, 96U);
  EXPECT_EQ(tables_.infos_[0].workers_learned, 0);
  EXPECT_EQ(tables_.infos_[0].base_ns, 0U);
}

TEST_F(LearnedWorkers, DoNotTakeGrowthForAFullTier) {
  apply(with({learning()}));
  learned();
  const auto busy = [this](std::uint64_t took_ms) {
    tables_.counters_[0].busy += 400;
    tables_.counters_[0].spilled[FLARE_SPILL_CAP] += 10;
    answered(400, took_ms);
  };
  busy(75);
  EXPECT_EQ(tables_.infos_[0].capacity_mrps, 0U) << "nobody waits: 400 is not all it can do";
  busy(100);
  EXPECT_EQ(tables_.infos_[0].capacity_mrps, 400'000U);
  EXPECT_EQ(value().bucket_interval_ns, 2'380'952U) << "1.05 x 400";
  tables_.counters_[0].spilled[FLARE_SPILL_BUCKET] += 10;
  answered(420, 74);
  EXPECT_EQ(tables_.infos_[0].capacity_mrps, 420'000U) << "the bucket came first: 5 % more";
}

TEST_F(LearnedWorkers, AreLearnedUnderObserveAndNotUnderFormulaOrForConnections) {
  ServiceConfig service = learning();
  service.policy = FLARE_POLICY_OBSERVE;
  apply(with({service}));
  learned();
  EXPECT_EQ(value().cap, 33U) << "to say what it would spill";
  service.policy = FLARE_POLICY_FORMULA;
  service.capacity_rps = 400;
  apply(with({service}));
  EXPECT_EQ(value().cap, 0U);
  for (int i = 0; i < 3; ++i) answered(200, 73);
  EXPECT_EQ(value().cap, 0U);
  EXPECT_EQ(tables_.infos_[0].workers_learned, 0);
  service.policy = FLARE_POLICY_OBSERVE;
  service.counting = FLARE_COUNTING_CONNECTIONS;
  apply(with({service}));
  for (int i = 0; i < 3; ++i) answered(200, 73);
  EXPECT_EQ(value().cap, 0U);
  EXPECT_EQ(value().counting, FLARE_COUNTING_CONNECTIONS);
}

TEST_F(Services, TellTheirPinnedShare) {
  apply(with({web()}));
  second(0);
  tables_.counters_[0].pinned[FLARE_TIER_VM] += 40;
  tables_.counters_[0].pinned[FLARE_TIER_SERVERLESS] += 10;
  second(150, 50);
  EXPECT_EQ(tables_.infos_[0].pinned, FLARE_SHARE_ONE / 4);
  second(0);
  EXPECT_EQ(tables_.infos_[0].pinned, 0U) << "no request, no share";
}

class ReportedServices : public Services {
 protected:
  ~ReportedServices() override {
    ::close(pipe_[0]);
    ::close(pipe_[1]);
  }
  static ServiceConfig reporting() {
    ServiceConfig service = web();
    service.counting = FLARE_COUNTING_REPORTED;
    return service;
  }
  /// What was logged since the last call.
  std::string logged() {
    char text[8192];
    const ssize_t size = ::read(pipe_[0], text, sizeof(text));
    return size <= 0 ? std::string() : std::string(text, static_cast<std::size_t>(size));
  }
  ReportChange report(std::uint64_t in_flight, std::uint64_t requests) {
    auto change = told_.report("web", {in_flight, requests}, now_);
    EXPECT_TRUE(change) << change.error().message();
    return *change;
  }
  void wait(std::uint64_t seconds) {
    now_ += seconds * kSecond;
    ASSERT_TRUE(told_.tick(now_, 0));
  }
  std::uint64_t reported() const { return tables_.admission_[0].reported; }

  std::array<int, 2> pipe_ = [] {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_NONBLOCK), 0);
    return ends;
  }();
  std::unique_ptr<Logger> told_log_ = make_logger(pipe_[1], true);
  ServiceSet told_{tables_, *told_log_, kKey};
};

TEST_F(ReportedServices, HaveTheirFigureInTheDatapathAtOnce) {
  ASSERT_TRUE(told_.apply(with({reporting()}), {}, now_));
  EXPECT_EQ(tables_.only_service().counting, FLARE_COUNTING_REPORTED);
  EXPECT_EQ(report(12, 1000).before, 0U);
  EXPECT_EQ(reported(), 12U);
  const ReportChange change = report(48, 1010);
  EXPECT_EQ(change.before, 12U);
  EXPECT_EQ(change.after, 48U);
  EXPECT_EQ(reported(), 48U);
  EXPECT_EQ(tables_.infos_[0].reported_ns, now_);
}

TEST_F(ReportedServices, AreSteeredByTheRateTheyTell) {
  ASSERT_TRUE(told_.apply(with({reporting()}), {}, now_));
  std::uint64_t requests = 5000;
  for (int i = 0; i < 4; ++i) {
    report(30, requests += 600);
    tables_.counters_[0].tier[FLARE_TIER_VM].requests += 7;  // packets show few of them
    tables_.counters_[0].tier[FLARE_TIER_SERVERLESS].requests += 200;
    wait(1);
  }
  EXPECT_EQ(tables_.infos_[0].vm_mrps, 600'000U);
  EXPECT_EQ(tables_.infos_[0].arrivals_mrps, 800'000U) << "and what packets show of serverless";
  EXPECT_NEAR(share_to_fraction(tables_.infos_[0].applied_share), 0.5, 1e-6);
}

TEST_F(ReportedServices, ThatFallSilentAreCountedByPacketsAndSaidSoOnce) {
  ASSERT_TRUE(told_.apply(with({reporting()}), {}, now_));
  wait(1);
  EXPECT_EQ(logged(), "") << "the first report is not late yet";
  report(48, 1000);
  wait(1);
  report(48, 1500);
  for (int i = 0; i < 5; ++i) wait(1);
  EXPECT_EQ(reported(), 48U);
  EXPECT_EQ(logged().find("does not report"), std::string::npos);
  tables_.counters_[0].tier[FLARE_TIER_VM].requests += 100;
  wait(1);
  EXPECT_EQ(reported(), 0U) << "a cap must not stand on it";
  EXPECT_EQ(tables_.infos_[0].vm_mrps, 100'000U);
  EXPECT_NE(logged().find("does not report its load"), std::string::npos);
  for (int i = 0; i < 20; ++i) wait(1);
  EXPECT_EQ(logged().find("does not report"), std::string::npos) << "once";
  report(5, 90'000);
  EXPECT_EQ(reported(), 5U);
  EXPECT_NE(logged().find("reports its load again"), std::string::npos);
}

TEST_F(ReportedServices, ThatNeverReportAreNamedAfterTheBound) {
  ASSERT_TRUE(told_.apply(with({reporting()}), {}, now_));
  for (int i = 0; i < 6; ++i) wait(1);
  EXPECT_NE(logged().find("last_s_ago=never"), std::string::npos);
}

TEST_F(ReportedServices, AreAdoptedWithTheirLastReport) {
  ASSERT_TRUE(told_.apply(with({reporting()}), {}, now_));
  report(48, 1000);
  ServiceSet next{tables_, *log_, kKey};
  now_ += kSecond;
  ASSERT_TRUE(next.apply(with({reporting()}), {}, now_));
  ASSERT_TRUE(next.tick(now_, 0));
  EXPECT_EQ(reported(), 48U);
  EXPECT_EQ(tables_.infos_[0].reported_ns, now_ - kSecond);
  now_ += 5 * kSecond;
  ASSERT_TRUE(next.tick(now_, 0));
  EXPECT_EQ(reported(), 0U);
}

TEST_F(ReportedServices, MustBeConfiguredSo) {
  ASSERT_TRUE(told_.apply(with({web()}), {}, now_));
  const auto refused = told_.report("web", {1, {}}, now_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(
      refused.error().message(),
      "service 'web' has counting: auto in its configuration; accepted: a report where it has "
      "counting: reported");
  EXPECT_FALSE(told_.report("api", {1, {}}, now_));
  EXPECT_EQ(reported(), 0U);
}

TEST_F(ReportedServices, KeepTheCapacityThatWasTold) {
  ServiceConfig service = reporting();
  service.policy = FLARE_POLICY_CAP;
  service.workers = 32;
  ASSERT_TRUE(told_.apply(with({service}), {}, now_));
  wait(1);
  for (int i = 0; i < 3; ++i) {
    tables_.counters_[0].tier[FLARE_TIER_VM].requests += 50;
    tables_.counters_[0].tier[FLARE_TIER_VM].answers += 50;
    tables_.counters_[0].busy += 50;
    wait(1);
  }
  EXPECT_EQ(tables_.infos_[0].capacity_mrps, 400'000U) << "packets show less than is served";
}

}  // namespace
}  // namespace flare
