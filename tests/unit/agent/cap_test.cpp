#include "control/cap.h"

#include <gtest/gtest.h>

namespace flare {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

TEST(Cap, IsOneAndAHalfForEachWorkerRoundedUp) {
  EXPECT_EQ(cap_of(0), 0U);
  EXPECT_EQ(cap_of(1), 2U);
  EXPECT_EQ(cap_of(2), 3U);
  EXPECT_EQ(cap_of(32), 48U);
  EXPECT_EQ(cap_of(33), 50U);
}

TEST(LearnedCapacity, MovesHalfWayToWhatASaturatedTierAnswers) {
  const CapInput saturated{1000, 801, 438, 0, kSecond};
  EXPECT_EQ(learned_capacity_mrps(526'000, saturated), 482'000U) << "20 % too high";
  EXPECT_EQ(learned_capacity_mrps(350'000, saturated), 394'000U) << "20 % too low";
  EXPECT_EQ(learned_capacity_mrps(0, saturated), 438'000U) << "not known at all";
  EXPECT_EQ(learned_capacity_mrps(0, {2000, 1900, 876, 0, 2 * kSecond}), 438'000U);
}

TEST(LearnedCapacity, StaysWhereTheTierIsNotSaturated) {
  EXPECT_EQ(learned_capacity_mrps(438'000, {1000, 800, 200, 0, kSecond}), 438'000U);
  EXPECT_EQ(learned_capacity_mrps(438'000, {0, 0, 0, 0, kSecond}), 438'000U);
  EXPECT_EQ(learned_capacity_mrps(438'000, {10, 10, 0, 0, kSecond}), 438'000U)
      << "a tier that answers nothing has no capacity to be learned: it is broken";
}

TEST(LearnedCapacity, GrowsWhereTheBucketRefusedBeforeTheWorkersWereBusy) {
  EXPECT_EQ(learned_capacity_mrps(400'000, {400, 10, 400, 3, kSecond}), 420'000U);
  EXPECT_EQ(learned_capacity_mrps(0, {400, 10, 400, 3, kSecond}), 0U);
}

}  // namespace
}  // namespace flare
