// The backend's capacity, service times and instances, without sockets or clocks.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "backend/gauge.h"
#include "backend/instance_pool.h"
#include "backend/service_time.h"
#include "backend/token_bucket.h"
#include "backend/work_queue.h"
#include "common/percentile.h"

namespace flare::lab {
namespace {

TEST(WorkQueue, WorksOnAsManyAsThereAreSlotsAndFirstComeFirstServed) {
  WorkQueue queue(2);
  queue.add(1, 100, 0);
  queue.add(2, 50, 0);
  queue.add(3, 10, 0);
  queue.add(4, 10, 0);
  EXPECT_EQ(queue.busy(), 2U);
  EXPECT_EQ(queue.waiting(), 2U);
  EXPECT_EQ(queue.take_done(49), std::nullopt);
  EXPECT_EQ(queue.take_done(50), 2U);
  EXPECT_EQ(queue.next_done_ns(), 60U);
  EXPECT_EQ(queue.take_done(60), 3U);
  EXPECT_EQ(queue.take_done(70), 4U);
  EXPECT_EQ(queue.take_done(100), 1U);
  EXPECT_EQ(queue.next_done_ns(), std::nullopt);
}

TEST(WorkQueue, LateWakeUpsCostNoCapacity) {
  WorkQueue queue(1);
  for (std::uint64_t job = 0; job < 10; ++job) queue.add(job, 100, 0);
  // Looked at only every 150: at 1,050 all ten jobs of 100 are done, not six.
  std::size_t done = 0;
  for (std::uint64_t now = 150; now <= 1'050; now += 150) {
    while (queue.take_done(now)) ++done;
  }
  EXPECT_EQ(done, 10U);
}

TEST(WorkQueue, WithoutSlotsNothingWaits) {
  WorkQueue queue(0);
  for (std::uint64_t job = 0; job < 1000; ++job) queue.add(job, 7, 0);
  EXPECT_EQ(queue.busy(), 1000U);
  EXPECT_EQ(queue.waiting(), 0U);
}

TEST(WorkQueue, AJobThatHoldsKeepsItsSlotUntilItIsReleased) {
  WorkQueue queue(1);
  queue.add(1, 100, 0, WorkQueue::After::kHold);
  queue.add(2, 50, 0);
  EXPECT_EQ(queue.take_done(120), 1U);
  EXPECT_EQ(queue.take_done(1'000), std::nullopt) << "the slot is not free";
  EXPECT_EQ(queue.next_done_ns(), std::nullopt);
  EXPECT_EQ(queue.busy(), 1U);
  EXPECT_EQ(queue.waiting(), 1U);
  queue.add(3, 50, 500);
  EXPECT_EQ(queue.waiting(), 2U) << "one that comes while the slot is held waits too";
  queue.release(1'000);
  EXPECT_EQ(queue.next_done_ns(), 1'050U) << "from the release, not from the end of the work";
  EXPECT_EQ(queue.take_done(2'000), 2U);
  EXPECT_EQ(queue.next_done_ns(), 1'100U) << "2 did not hold, so 3 began when its time was over";
  EXPECT_EQ(queue.take_done(2'000), 3U);
  EXPECT_EQ(queue.busy(), 0U);
}

TEST(Gauge, AddsUpWhatHeldForHowLong) {
  Gauge gauge(1'000);
  gauge.held(0, 1'100);
  gauge.held(3, 1'150);  // 50 long
  gauge.held(2, 1'150);  // no time at all
  EXPECT_EQ(gauge.total_ns(1, 1'170), 3U * 50 + 20);
  gauge.held(1, 1'170);
  EXPECT_EQ(gauge.total_ns(0, 9'000), 3U * 50 + 20);
}

TEST(ServiceTimes, HaveTheMeanAndTheSpreadThatWereAskedFor) {
  const ServiceTimes times;
  std::vector<double> drawn;
  for (std::uint64_t number = 0; number < 100'000; ++number) {
    drawn.push_back(static_cast<double>(times.of(number)) / 1e6);
  }
  const double mean = std::accumulate(drawn.begin(), drawn.end(), 0.0) / 1e5;
  EXPECT_NEAR(mean, 73, 0.3);
  std::ranges::sort(drawn);
  EXPECT_NEAR(nearest_rank<double>(drawn, 0.50), 69.8, 0.4);
  EXPECT_NEAR(nearest_rank<double>(drawn, 0.95), 114.3, 0.9);
}

TEST(ServiceTimes, BelongToTheRequestNumberAndTheSeed) {
  const ServiceTimes times;
  EXPECT_EQ(times.of(17), times.of(17));
  EXPECT_NE(times.of(17), times.of(18));
  EXPECT_NE(times.of(17), (ServiceTimes{.seed = 2}.of(17)));
}

TEST(ColdStarts, HaveTheMedianAndTheSpreadThatWereAskedFor) {
  const ColdStarts starts{.seed = 3, .median_ms = 250, .sigma = 0.4};
  std::vector<double> drawn;
  for (std::uint64_t number = 0; number < 100'000; ++number) {
    drawn.push_back(static_cast<double>(starts.of(number)) / 1e6);
  }
  std::ranges::sort(drawn);
  EXPECT_NEAR(nearest_rank<double>(drawn, 0.50), 250, 2);
  EXPECT_NEAR(nearest_rank<double>(drawn, 0.8413), 250 * std::exp(0.4), 4) << "one sigma above";
  EXPECT_NEAR(nearest_rank<double>(drawn, 0.1587), 250 * std::exp(-0.4), 2) << "one sigma below";
}

TEST(ColdStarts, BelongToTheRequestNumberAndTheSeedAndNotToTheServiceTime) {
  const ColdStarts starts{.seed = 3, .median_ms = 250, .sigma = 0.4};
  EXPECT_EQ(starts.of(17), starts.of(17));
  EXPECT_NE(starts.of(17), starts.of(18));
  EXPECT_NE(starts.of(17), (ColdStarts{.seed = 4, .median_ms = 250, .sigma = 0.4}.of(17)));
  const ServiceTimes times{.seed = 3, .mean_ms = 73, .sigma = 0.4};
  const auto median_ns = static_cast<std::uint64_t>(times.mean_ms * 1e6 * std::exp(-0.08));
  int both_long = 0;
  for (std::uint64_t number = 0; number < 10'000; ++number) {
    both_long += times.of(number) > median_ns && starts.of(number) > 250'000'000 ? 1 : 0;
  }
  EXPECT_NEAR(both_long, 2'500, 150) << "a quarter, where neither tells of the other";
}

TEST(ColdStarts, WithoutASpreadTakeTheMedian) {
  const ColdStarts starts{.seed = 3, .median_ms = 250};
  EXPECT_EQ(starts.of(1), 250'000'000U);
  EXPECT_EQ(starts.of(2), 250'000'000U);
  EXPECT_EQ(ColdStarts{}.of(1), 0U);
}

TEST(TokenBucket, StartsFullAndFillsEvenlyUpToItsCount) {
  TokenBucket bucket(4, 1'000, 10);
  for (int taken = 0; taken < 4; ++taken) EXPECT_TRUE(bucket.take(10));
  EXPECT_FALSE(bucket.take(10));
  EXPECT_FALSE(bucket.take(259));
  EXPECT_TRUE(bucket.take(260)) << "one in 250, though looked at in between";
  EXPECT_FALSE(bucket.take(509));
  EXPECT_TRUE(bucket.take(510));
  int at_once = 0;
  while (bucket.take(1'000'000'000)) ++at_once;
  EXPECT_EQ(at_once, 4) << "unused ones do not pile up";
  EXPECT_TRUE(bucket.take(1'000'000'500)) << "of two";
  at_once = 0;
  while (bucket.take(2'000'000'000)) ++at_once;
  EXPECT_EQ(at_once, 4) << "nor do they on top of one that was left";
}

TEST(TokenBucket, WithoutACountIsNoLimit) {
  TokenBucket bucket(0, 1'000, 0);
  for (int taken = 0; taken < 10'000; ++taken) ASSERT_TRUE(bucket.take(0));
}

/// Starts of 250 ns, kept for 1000 ns.
InstanceConfig instances(std::uint32_t prewarmed) {
  InstanceConfig config;
  config.cold_starts.median_ms = 250e-6;
  config.keep_alive_ns = 1000;
  config.prewarmed = prewarmed;
  return config;
}

TEST(InstancePool, StartsOneWhenNoneIsIdleAndReusesIt) {
  InstancePool pool(instances(1), 0);
  EXPECT_EQ(pool.take(1, 0), 0U);
  EXPECT_EQ(pool.take(2, 1), 250U);
  pool.give_back(10);
  EXPECT_EQ(pool.take(20, 2), 0U);
  EXPECT_EQ(pool.cold_starts(), 1U);
}

TEST(InstancePool, LetsIdleOnesGo) {
  InstancePool pool(instances(2), 0);
  EXPECT_EQ(pool.take(500, 0), 0U);
  pool.give_back(600);
  EXPECT_EQ(pool.take(1500, 1), 0U) << "used at 600, so it is kept until 1600";
  EXPECT_EQ(pool.take(1500, 2), 250U) << "the other one was idle since 0";
}

TEST(InstancePool, StartsTakeAsLongAsTheirRequestDraws) {
  InstanceConfig config = instances(0);
  config.cold_starts = {.seed = 9, .median_ms = 250, .sigma = 0.5};
  InstancePool pool(config, 0);
  for (const std::uint64_t number : {70U, 8U, 900U}) {
    EXPECT_EQ(pool.take(1, number), config.cold_starts.of(number));
  }
}

TEST(InstancePool, StartsNoMoreThanTheScalingRateAllowsButReusesIdleOnes) {
  InstanceConfig config = instances(1);
  config.scale_instances = 2;
  config.scale_every_ns = 1'000;
  InstancePool pool(config, 0);
  EXPECT_EQ(pool.take(0, 0), 0U) << "a warm one takes no token";
  EXPECT_EQ(pool.take(0, 1), 250U);
  EXPECT_EQ(pool.take(0, 2), 250U);
  EXPECT_EQ(pool.take(499, 3), std::nullopt);
  pool.give_back(499);
  EXPECT_EQ(pool.take(499, 4), 0U) << "idle, so nobody asks for a token";
  EXPECT_EQ(pool.take(500, 5), 250U) << "one in 500";
  EXPECT_EQ(pool.take(501, 6), std::nullopt);
  EXPECT_EQ(pool.cold_starts(), 3U);
}

}  // namespace
}  // namespace flare::lab
