// The paper's formula: zero is zero, one is one, and what lies between is the excess.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>

#include "control/formula.h"
#include "flare/abi.h"

namespace flare {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

FormulaInput second_of(std::uint64_t arrivals, std::uint64_t before, std::uint64_t capacity_rps) {
  return {arrivals, before, kSecond, kSecond, capacity_rps * 1000, 0};
}

struct FormulaCase {
  const char* name;
  std::uint64_t arrivals, before, capacity;
  std::uint64_t load_rps;
  double share;
};

class Formula : public testing::TestWithParam<FormulaCase> {};

TEST_P(Formula, GivesTheShareBeyondCapacity) {
  const FormulaCase& one = GetParam();
  const FormulaOutput output = formula(second_of(one.arrivals, one.before, one.capacity));
  EXPECT_EQ(output.load_mrps, one.load_rps * 1000);
  EXPECT_NEAR(share_to_fraction(output.share), one.share, 1e-9);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, Formula,
    testing::Values(FormulaCase{"Idle", 0, 0, 438, 0, 0},
                    FormulaCase{"Calm", 200, 200, 438, 200, 0},
                    FormulaCase{"ExactlyFull", 438, 438, 438, 438, 0},
                    FormulaCase{"Twice", 876, 876, 438, 876, 0.5},
                    FormulaCase{"GrowthCountsTwice", 438, 200, 438, 676, 1 - 438.0 / 676},
                    FormulaCase{"GrowthToExactlyFull", 300, 162, 438, 438, 0},
                    FormulaCase{"FallingCountsOnce", 500, 800, 438, 500, 1 - 438.0 / 500},
                    FormulaCase{"BackBelow", 200, 900, 438, 200, 0}),
    [](const auto& one) { return std::string(one.param.name); });

TEST(FormulaZero, IsZeroForEveryLoadThatFits) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 200'000; ++i) {
    const std::uint64_t capacity = random() % 10'000'000'000 + 1;
    ASSERT_EQ(share_beyond(random() % (capacity + 1), capacity), 0U) << capacity;
  }
  for (std::uint64_t capacity = 1; capacity < 2000; ++capacity) {
    for (std::uint64_t load = 0; load <= capacity; ++load) {
      ASSERT_EQ(share_beyond(load, capacity), 0U) << load << " of " << capacity;
    }
  }
}

TEST(FormulaZero, NeverPassesOneAndRisesWithTheLoad) {
  std::uint64_t last = 0;
  for (std::uint64_t load = 438'000; load < 4'000'000'000; load += load / 7) {
    const std::uint64_t share = share_beyond(load, 438'000);
    ASSERT_GE(share, last);
    ASSERT_LT(share, FLARE_SHARE_ONE);
    last = share;
  }
  EXPECT_EQ(share_beyond(1000, 0), FLARE_SHARE_ONE);
  EXPECT_LE(share_beyond(UINT64_MAX, 1), FLARE_SHARE_ONE);
}

TEST(FormulaGrowth, IsNotKnownInTheFirstInterval) {
  FormulaInput input = second_of(400, 0, 438);
  input.elapsed_before_ns = 0;
  EXPECT_EQ(formula(input).share, 0U);
}

TEST(FormulaGrowth, IsANoiseBelowTheGate) {
  FormulaInput input = second_of(430, 400, 438);
  EXPECT_GT(formula(input).share, 0U);
  input.significance = 2;  // 30 more is less than 2 * sqrt(430)
  EXPECT_EQ(formula(input).share, 0U);
  input.arrivals_before = 380;  // 50 more is not
  EXPECT_GT(formula(input).share, 0U);
}

TEST(FormulaGrowth, ComparesRatesOfUnequalIntervals) {
  FormulaInput input = second_of(400, 200, 438);
  input.elapsed_before_ns = kSecond / 2;
  EXPECT_EQ(formula(input).load_mrps, 400'000U);
}

TEST(Share, OfAFractionIsExactAtBothEnds) {
  EXPECT_EQ(share_from_fraction(0), 0U);
  EXPECT_EQ(share_from_fraction(1), FLARE_SHARE_ONE);
  EXPECT_EQ(share_from_fraction(0.5), FLARE_SHARE_ONE / 2);
  EXPECT_EQ(share_from_fraction(1.0 / 1024), FLARE_SHARE_ONE / 1024);
  EXPECT_EQ(share_from_fraction(-1), 0U);
  EXPECT_EQ(share_from_fraction(7), FLARE_SHARE_ONE);
  EXPECT_EQ(share_from_fraction(std::nan("")), 0U);
  EXPECT_EQ(share_from_fraction(std::numeric_limits<double>::infinity()), FLARE_SHARE_ONE);
}

TEST(Rate, IsPerThousandSeconds) {
  EXPECT_EQ(rate_mrps(438, kSecond), 438'000U);
  EXPECT_EQ(rate_mrps(1, 500'000'000), 2'000U);
  EXPECT_EQ(rate_mrps(1, 0), 0U);
  EXPECT_EQ(rate_mrps(UINT64_MAX, 1), UINT64_MAX / 2);
}

}  // namespace
}  // namespace flare
