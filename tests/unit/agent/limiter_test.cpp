// The limiter against a simulated tier of 32 workers, 73 ms a request, 438 requests a second.
#include "control/limiter.h"

#include <gtest/gtest.h>

#include "simulated_tier.h"

namespace flare {
namespace {

using test::Second;
using test::SimulatedTier;

constexpr std::uint32_t kWorkers = 32;
constexpr double kCapacity = 438;
constexpr double kCalmLoad = 200;
constexpr double kSpike = 520;
/// P95 of a request that waits for nobody is 1.56 x the mean.
constexpr double kService = 0.073;

/// Some seconds under one load.
struct Stretch {
  std::uint64_t arrivals = 0;
  std::uint64_t spilled = 0;
  double worst_p95_s = 0;
  std::uint32_t cap_min = UINT32_MAX;
  std::uint32_t cap_max = 0;
  std::uint32_t probing = 0;  ///< seconds

  double spilled_share() const { return double(spilled) / double(arrivals); }
};

/// The caps of probes, which are low on purpose, do not count for `cap_min`.
Stretch run(SimulatedTier& tier, int seconds, double rate) {
  Stretch stretch;
  for (int i = 0; i < seconds; ++i) {
    const bool probing = tier.limiter.probing();
    Second second = tier.second(rate);
    stretch.arrivals += second.arrivals;
    stretch.spilled += second.spilled;
    stretch.worst_p95_s = std::max(stretch.worst_p95_s, second.p95_s());
    stretch.probing += probing ? 1 : 0;
    if (!probing) stretch.cap_min = std::min(stretch.cap_min, second.cap);
    stretch.cap_max = std::max(stretch.cap_max, second.cap);
  }
  return stretch;
}

class LimiterOfATier : public testing::TestWithParam<std::uint64_t> {
 protected:
  SimulatedTier tier_{kWorkers, GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Seeds, LimiterOfATier, testing::Values(1, 2, 3, 4, 5));

TEST_P(LimiterOfATier, FindsTheCapInASpikeAndKeepsTheTailShort) {
  const Stretch calm = run(tier_, 30, kCalmLoad);
  EXPECT_EQ(calm.spilled, 0U);
  const Stretch first = run(tier_, 10, kSpike);
  EXPECT_LE(first.worst_p95_s, 2.5 * kService);
  const Stretch rest = run(tier_, 230, kSpike);
  EXPECT_GE(rest.cap_min, kWorkers);
  EXPECT_LE(rest.cap_max, 2.2 * kWorkers);
  EXPECT_LE(rest.worst_p95_s, 2.5 * kService);
  EXPECT_GT(rest.probing, 0U) << "so that four minutes of overload raise nothing";
  EXPECT_NEAR(tier_.limiter.workers(), kWorkers, 4);
  EXPECT_NEAR(double(tier_.limiter.base_ns()), kService * 1e9, 0.05 * kService * 1e9);
  // 15.8 % have no room; the rest is the price of the probes and of learning.
  EXPECT_LE(rest.spilled_share(), 1 - kCapacity / kSpike + 0.02);
}

TEST_P(LimiterOfATier, SpillsNothingThatHasRoom) {
  const Stretch busy = run(tier_, 600, 0.8 * kCapacity);
  EXPECT_LE(busy.spilled, busy.arrivals / 10'000);
  EXPECT_EQ(busy.probing, 0U);
  EXPECT_LE(busy.cap_max, 2.2 * kWorkers);
}

TEST_P(LimiterOfATier, LearnsThatItsMachinesBecameTwiceAsSlow) {
  run(tier_, 30, kCalmLoad);
  tier_.work.mean_s *= 2;
  const Stretch change = run(tier_, 30, kCalmLoad);
  EXPECT_LE(change.worst_p95_s, 5.0 * kService) << "2.5 x the new service time";
  const Stretch after = run(tier_, 120, kCalmLoad);
  EXPECT_LE(after.spilled, after.arrivals / 200) << "200 a second are 0.91 of what it serves now";
  EXPECT_GE(after.cap_min, kWorkers);
  EXPECT_NEAR(double(tier_.limiter.base_ns()), 2 * kService * 1e9, 0.15 * kService * 1e9);
}

TEST_P(LimiterOfATier, LearnsThatWorkersWereLost) {
  run(tier_, 30, kCalmLoad);
  run(tier_, 30, kSpike);
  tier_.set_workers(8);
  run(tier_, 15, kSpike);
  const Stretch after = run(tier_, 120, kSpike);
  EXPECT_GE(after.cap_min, 8U);
  EXPECT_LE(after.cap_max, 18U);
  EXPECT_LE(after.worst_p95_s, 3 * kService);
}

TEST_P(LimiterOfATier, LearnsThatWorkersCame) {
  run(tier_, 30, kCalmLoad);
  run(tier_, 30, kSpike);
  tier_.set_workers(4 * kWorkers);
  run(tier_, 8, 3 * kSpike);
  const Stretch after = run(tier_, 120, 3 * kSpike);
  EXPECT_EQ(after.spilled, 0U) << "1560 of 1752 a second";
}

TEST_P(LimiterOfATier, FindsTheBaseAlsoWhereItStartsInAnOverload) {
  run(tier_, 30, kSpike);
  EXPECT_NEAR(double(tier_.limiter.base_ns()), kService * 1e9, 0.1 * kService * 1e9);
  const Stretch after = run(tier_, 60, kSpike);
  EXPECT_LE(after.cap_max, 2.2 * kWorkers);
}

TEST_P(LimiterOfATier, HoldsInTenfoldOverload) {
  run(tier_, 30, kCalmLoad);
  const Stretch flood = run(tier_, 120, 10 * kCapacity);
  EXPECT_LE(flood.worst_p95_s, 2.5 * kService);
  EXPECT_GE(flood.cap_min, kWorkers);
  const Stretch calm = run(tier_, 60, kCalmLoad);
  EXPECT_LE(calm.spilled, calm.arrivals / 100) << "one probe at most";
}

TEST_P(LimiterOfATier, HoldsWhereServiceTimesAreWide) {
  tier_.work.sigma = 0.83;  // as an exponential's deviation
  run(tier_, 60, kCalmLoad);
  run(tier_, 60, kSpike);
  const Stretch spike = run(tier_, 240, kSpike);
  EXPECT_GE(spike.cap_min, 0.9 * kWorkers);
  EXPECT_LE(spike.cap_max, 2.5 * kWorkers);
}

TEST_P(LimiterOfATier, KeepsTheBaseWhereMostOfTheLoadIsTiedToTheTier) {
  run(tier_, 30, kCalmLoad);
  tier_.tied = 0.9;  // 468 a second cannot be sent away: the queue grows whatever is done
  run(tier_, 200, kSpike);
  EXPECT_LE(double(tier_.limiter.base_ns()), 1.15 * kService * 1e9);
  EXPECT_LE(tier_.limiter.cap(), 2.2 * kWorkers) << "new flows go elsewhere";
  EXPECT_GE(tier_.limiter.cap(), kWorkers / 2);
}

TEST_P(LimiterOfATier, OnlyWatchesWhereNothingIsEnforced) {
  tier_.enforced = false;
  const Stretch calm = run(tier_, 60, kCalmLoad);
  EXPECT_GT(calm.cap_max, 0U) << "it says what it would do";
  const Stretch spike = run(tier_, 30, kSpike);
  EXPECT_EQ(spike.probing, 0U);
  EXPECT_GE(spike.cap_min, kWorkers);
  EXPECT_LE(spike.cap_max, 2.2 * kWorkers);
}

TEST_P(LimiterOfATier, GoesOnFromWhatAnotherFound) {
  run(tier_, 30, kCalmLoad);
  run(tier_, 30, kSpike);
  const std::uint32_t workers = tier_.limiter.workers();
  const std::uint64_t base_ns = tier_.limiter.base_ns();
  tier_.limiter = Limiter();
  tier_.limiter.resume(workers, base_ns);
  EXPECT_EQ(tier_.limiter.workers(), workers);
  EXPECT_EQ(tier_.limiter.base_ns(), base_ns);
  const Stretch spike = run(tier_, 30, kSpike);
  EXPECT_LE(spike.worst_p95_s, 2.5 * kService);
  EXPECT_GE(spike.cap_min, kWorkers);
}

constexpr std::uint64_t kSecondNs = 1'000'000'000;

/// `answers` in a second, of 10 ms each.
LimiterInput second_of(std::uint64_t answers) {
  return {kSecondNs, answers, answers, answers * 10'000'000, false, true};
}

TEST(Limiter, HasNoCapBeforeFiveSamplesOfEnoughAnswers) {
  Limiter limiter;
  EXPECT_EQ(limiter.cap(), 0U);
  EXPECT_EQ(limiter.workers(), 0U);
  limiter.step(second_of(99));
  EXPECT_EQ(limiter.base_ns(), 0U);
  limiter.step(second_of(101));
  EXPECT_EQ(limiter.base_ns(), 10'000'000U);
  for (int i = 0; i < 3; ++i) limiter.step(second_of(101));
  EXPECT_EQ(limiter.cap(), 0U);
  limiter.step(second_of(101));
  EXPECT_EQ(limiter.cap(), 8U) << "one in flight on average";
}

TEST(Limiter, BeginsWithRoomForTheBusiestSample) {
  Limiter limiter;
  for (const std::uint64_t answers : {100, 200, 2500, 300, 100}) limiter.step(second_of(answers));
  EXPECT_EQ(limiter.cap(), 53U) << "25 in flight: 1.5 x 25 + 3 x 5";
}

TEST(Limiter, TakesFewAnswersOfALongTimeAndNoneOfALongerOne) {
  Limiter slow;
  for (int i = 0; i < 99; ++i) slow.step(second_of(1));
  EXPECT_EQ(slow.cap(), 0U);
  slow.step(second_of(1));
  EXPECT_EQ(slow.cap(), 8U) << "five times 20 s";
  Limiter idle;
  for (int i = 0; i < 6000; ++i) idle.step(second_of(i % 4 == 0 ? 1 : 0));
  EXPECT_EQ(idle.cap(), 0U) << "15 a minute";
}

TEST(Limiter, KeepsItsCapWhileNothingIsAnswered) {
  Limiter limiter;
  limiter.resume(32, 73'000'000);
  for (int i = 0; i < 300; ++i) limiter.step({kSecondNs, 0, 0, 0, true, true});
  EXPECT_EQ(limiter.cap(), 48U);
  EXPECT_EQ(limiter.base_ns(), 73'000'000U);
}

TEST(LowestOfAMinute, ForgetsWhatIsOlder) {
  constexpr std::uint64_t kSecond = 1'000'000'000;
  LowestOfAMinute means;
  EXPECT_FALSE(means.lowest(0));
  means.add(0, 5);
  means.add(kSecond, 7);
  means.add(30 * kSecond, 6);
  EXPECT_EQ(means.lowest(59 * kSecond), 5);
  EXPECT_EQ(means.lowest(60 * kSecond), 6);
  EXPECT_EQ(means.lowest(89 * kSecond), 6);
  EXPECT_FALSE(means.lowest(90 * kSecond));
  means.add(90 * kSecond, 9);
  EXPECT_EQ(means.lowest(90 * kSecond), 9) << "over the oldest";
}

}  // namespace
}  // namespace flare
