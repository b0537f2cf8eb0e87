// One backend's phases over simulated time.
#include "health/backend_health.h"

#include <gtest/gtest.h>

namespace flare {
namespace {

using std::chrono::milliseconds;
using Start = BackendHealth::Start;

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kNow = 5'000 * kSecond;

HealthConfig config() {
  HealthConfig health;
  health.check = HealthConfig::Check::kTcp;
  health.rise = 2;
  health.fall = 3;
  health.eject_time = milliseconds(10'000);
  return health;
}

BackendVerdict verdict(const BackendHealth& backend, std::uint64_t now_ns,
                       const HealthConfig& health = config(), Protocol protocol = Protocol::kTcp) {
  return backend.verdict(health, protocol, now_ns);
}

TEST(BackendHealth, IsDownAfterAsManyFailedChecksInARowAsItTakes) {
  BackendHealth backend(Start::kUp);
  EXPECT_FALSE(backend.check_failed(config(), "a", kNow));
  EXPECT_FALSE(backend.check_failed(config(), "b", kNow));
  EXPECT_FALSE(backend.check_passed(config(), "", kNow));
  EXPECT_FALSE(backend.check_failed(config(), "c", kNow));
  EXPECT_FALSE(backend.check_failed(config(), "d", kNow));
  EXPECT_EQ(verdict(backend, kNow).state, FLARE_BACKEND_ACTIVE);
  EXPECT_TRUE(backend.check_failed(config(), "e", kNow + 1));
  EXPECT_EQ(verdict(backend, kNow + 1),
            (BackendVerdict{HealthPhase::kDown, FLARE_BACKEND_DOWN, kFullWeight, "e", kNow + 1}));
}

TEST(BackendHealth, IsUpAfterAsManyPassedChecksInARowAsItTakes) {
  BackendHealth backend(Start::kDown);
  EXPECT_EQ(verdict(backend, kNow).state, FLARE_BACKEND_DOWN);
  EXPECT_FALSE(backend.check_passed(config(), "", kNow));
  EXPECT_FALSE(backend.check_failed(config(), "", kNow));
  EXPECT_FALSE(backend.check_passed(config(), "", kNow));
  EXPECT_TRUE(backend.check_passed(config(), "", kNow));
  EXPECT_EQ(verdict(backend, kNow).phase, HealthPhase::kUp);
}

TEST(BackendHealth, OfANewBackendIsDecidedByTheFirstCheck) {
  BackendHealth dead(Start::kUnknown);
  EXPECT_TRUE(dead.is_up()) << "until then";
  EXPECT_TRUE(dead.check_failed(config(), "", kNow));
  EXPECT_FALSE(dead.is_up());
  BackendHealth well(Start::kUnknown);
  EXPECT_FALSE(well.check_passed(config(), "", kNow));
  EXPECT_FALSE(well.check_failed(config(), "", kNow)) << "the second one alone decides nothing";
  EXPECT_TRUE(well.is_up());
}

TEST(BackendHealth, KeepsTheFlowsOfAnEjectedTcpBackendAndMovesThoseOfUdp) {
  BackendHealth backend(Start::kUp);
  EXPECT_TRUE(backend.eject(config(), "refused", kNow));
  EXPECT_EQ(verdict(backend, kNow).state, FLARE_BACKEND_DRAINING);
  EXPECT_EQ(verdict(backend, kNow, config(), Protocol::kUdp).state, FLARE_BACKEND_DOWN);
  EXPECT_EQ(verdict(backend, kNow).why, "refused");
}

TEST(BackendHealth, TriesAnEjectedBackendAfterItsTimeWithATrickle) {
  BackendHealth backend(Start::kUp);
  backend.eject(config(), "refused", kNow);
  EXPECT_FALSE(backend.step(kNow + 10 * kSecond - 1));
  EXPECT_TRUE(backend.step(kNow + 10 * kSecond));
  const BackendVerdict trial = verdict(backend, kNow + 10 * kSecond);
  EXPECT_EQ(trial.phase, HealthPhase::kTrial);
  EXPECT_EQ(trial.state, FLARE_BACKEND_ACTIVE);
  EXPECT_EQ(trial.weight, kTrialWeight);
  EXPECT_EQ(trial.why, "refused");
  EXPECT_TRUE(backend.trial_passed(kNow + 12 * kSecond));
  EXPECT_EQ(verdict(backend, kNow + 12 * kSecond).weight, kFullWeight);
}

TEST(BackendHealth, EjectsForTwiceAsLongEachTimeUpToABound) {
  BackendHealth backend(Start::kUp);
  std::uint64_t now = kNow;
  for (const std::uint64_t seconds : {10U, 20U, 40U, 80U, 160U, 300U, 300U}) {
    ASSERT_TRUE(backend.eject(config(), "", now));
    EXPECT_FALSE(backend.step(now + seconds * kSecond - 1)) << seconds;
    now += seconds * kSecond;
    EXPECT_TRUE(backend.step(now)) << seconds;
  }
}

TEST(BackendHealth, KeepsALongerEjectTimeAsItIs) {
  HealthConfig health = config();
  health.eject_time = milliseconds(3'600'000);
  BackendHealth backend(Start::kUp);
  for (int i = 0; i < 40; ++i) {
    const std::uint64_t now = kNow + static_cast<std::uint64_t>(i) * 3'600 * kSecond;
    ASSERT_TRUE(backend.eject(health, "", now)) << i;
    ASSERT_TRUE(backend.step(now + 3'600 * kSecond)) << i;
  }
}

TEST(BackendHealth, ForgetsEjectionsAfterALongTimeUp) {
  BackendHealth backend(Start::kUp);
  backend.eject(config(), "", kNow);
  backend.step(kNow + 10 * kSecond);
  backend.trial_passed(kNow + 10 * kSecond);
  BackendHealth soon = backend;
  soon.eject(config(), "", kNow + 109 * kSecond);
  EXPECT_FALSE(soon.step(kNow + 119 * kSecond));
  backend.eject(config(), "", kNow + 110 * kSecond);
  EXPECT_TRUE(backend.step(kNow + 120 * kSecond));
}

TEST(BackendHealth, DoesNotLetAnEjectedBackendBackForAPassedCheck) {
  BackendHealth backend(Start::kUp);
  backend.eject(config(), "", kNow);
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(backend.check_passed(config(), "", kNow + 1));
  EXPECT_EQ(backend.phase(), HealthPhase::kEjected);
}

TEST(BackendHealth, IsDownWhereChecksConfirmAnEjection) {
  BackendHealth backend(Start::kUp);
  backend.eject(config(), "", kNow);
  for (int i = 0; i < 3; ++i) backend.check_failed(config(), "dead", kNow + 1);
  EXPECT_EQ(verdict(backend, kNow + 1).state, FLARE_BACKEND_DOWN);
  EXPECT_FALSE(backend.eject(config(), "", kNow + 2)) << "that is the lesser state";
  EXPECT_FALSE(backend.step(kNow + 1'000 * kSecond));
  backend.check_passed(config(), "", kNow + 3);
  EXPECT_TRUE(backend.check_passed(config(), "", kNow + 3));
  EXPECT_TRUE(backend.is_up());
}

TEST(BackendHealth, IsReleasedBeforeItsTimeIntoATrial) {
  BackendHealth backend(Start::kUp);
  EXPECT_FALSE(backend.release(kNow));
  backend.eject(config(), "", kNow);
  EXPECT_TRUE(backend.release(kNow));
  EXPECT_EQ(backend.phase(), HealthPhase::kTrial);
}

TEST(BackendHealth, GrowsToItsWeightInStepsOfASecond) {
  HealthConfig health = config();
  health.slow_start = milliseconds(10'000);
  BackendHealth backend(Start::kDown);
  backend.check_passed(health, "", kNow);
  backend.check_passed(health, "", kNow);
  const auto weight = [&](double seconds) {
    const auto at = kNow + static_cast<std::uint64_t>(seconds * 1e9);
    return verdict(backend, at, health).weight;
  };
  EXPECT_EQ(weight(0), kFullWeight / 10);
  EXPECT_EQ(weight(0.9), kFullWeight / 10);
  EXPECT_EQ(weight(1), kFullWeight * 19 / 100);
  EXPECT_EQ(weight(5.5), kFullWeight * 55 / 100);
  EXPECT_EQ(weight(9.9), kFullWeight * 91 / 100);
  EXPECT_EQ(weight(10), kFullWeight);
  EXPECT_EQ(verdict(backend, kNow + 9 * kSecond, health).phase, HealthPhase::kSlowStart);
  EXPECT_EQ(verdict(backend, kNow + 10 * kSecond, health).phase, HealthPhase::kUp);
}

TEST(BackendHealth, StartsFastWhereItWasNeverDown) {
  HealthConfig health = config();
  health.slow_start = milliseconds(10'000);
  const BackendHealth backend(Start::kUp);
  EXPECT_EQ(verdict(backend, 1, health).weight, kFullWeight);
}

TEST(BackendHealth, ForgetsWhatIsNotWatchedAnyMore) {
  BackendHealth checked(Start::kDown);
  EXPECT_TRUE(checked.forget_checks(kNow));
  EXPECT_TRUE(checked.is_up());
  BackendHealth ejected(Start::kUp);
  ejected.eject(config(), "", kNow);
  EXPECT_FALSE(ejected.forget_checks(kNow));
  EXPECT_TRUE(ejected.forget_ejection(kNow));
  EXPECT_TRUE(ejected.is_up());
}

}  // namespace
}  // namespace flare
