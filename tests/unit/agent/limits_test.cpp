// Rates and budgets as intervals and depths, and what they cost.
#include "control/limits.h"

#include <gtest/gtest.h>

namespace flare {
namespace {

TEST(Bucket, HoldsTheLargerOf33TokensAnd20Milliseconds) {
  EXPECT_EQ(default_bucket_tokens(438), 33U);
  EXPECT_EQ(default_bucket_tokens(1650), 33U);
  EXPECT_EQ(default_bucket_tokens(1651), 34U);
  EXPECT_EQ(default_bucket_tokens(100'000), 2000U);
}

TEST(Bucket, IsTheTimeOfOneTokenAndOfAll) {
  EXPECT_EQ(bucket_limit(438, {}), (RateLimit{2'283'105, 2'283'105U * 33}));
  EXPECT_EQ(bucket_limit(1000, 10), (RateLimit{1'000'000, 10'000'000}));
}

TEST(Bucket, OfUnknownCapacityIsNoLimit) { EXPECT_EQ(bucket_limit(0, {}), RateLimit{}); }

TEST(Spend, NeverAllowsMoreThanItSays) {
  SpendConfig spend;
  spend.per_second = 3;
  spend.burst = 5;
  const RateLimit limit = spend_limit(spend);
  EXPECT_EQ(limit.interval_ns, 333'333'334U);
  EXPECT_EQ(limit.depth_ns, limit.interval_ns * 5);
}

TEST(PrefixShare, IsThatPartOfRateAndBurst) {
  SpendConfig spend;
  spend.prefix_share = 0.1;
  EXPECT_EQ(prefix_limit(spend), (RateLimit{20'000'000, 1'000'000'000}))
      << "50 a second and at once";
  spend.burst = 4;
  EXPECT_EQ(prefix_limit(spend), (RateLimit{20'000'000, 20'000'000}))
      << "one, where it would be less";
}

TEST(PrefixShare, OfAllIsNoLimit) {
  EXPECT_EQ(prefix_limit(SpendConfig{}), RateLimit{}) << "the default";
  SpendConfig spend;
  spend.prefix_share = 0.999;
  EXPECT_NE(prefix_limit(spend), RateLimit{});
}

TEST(Ramp, IsLambdasThousandInTenSeconds) {
  const RateLimit limit = ramp_limit(SpendConfig{});
  EXPECT_EQ(limit, (RateLimit{10'000'000, 10'000'000'000}));
  SpendConfig none;
  none.ramp_instances = 0;
  EXPECT_EQ(ramp_limit(none), RateLimit{});
}

TEST(Price, OfOneRequestIsDurationTimesMemoryAndTheFee) {
  // 84 ms of 1,769 MB: 0.084 * 1.72754 * 1.66667e-5 + 2e-7
  EXPECT_EQ(price_nanousd(PriceConfig{}), 2619U);
}

TEST(Price, BillsWholeMilliseconds) {
  PriceConfig price;
  price.duration_ms = 83.2;
  EXPECT_EQ(price_nanousd(price), price_nanousd(PriceConfig{}));
}

TEST(WorstHour, IsBoundByTheBudget) {
  SpendConfig spend;
  spend.per_second = 500;
  spend.per_hour = 100'000;
  EXPECT_NEAR(worst_hour_usd(spend, PriceConfig{}), 0.2619, 1e-6);
  spend.per_second = 1;
  spend.burst = 1;
  EXPECT_NEAR(worst_hour_usd(spend, PriceConfig{}), 3601 * 2619e-9, 1e-9);
}

}  // namespace
}  // namespace flare
