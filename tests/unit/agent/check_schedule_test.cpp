// When checks are due: spread at the start, with jitter later, one at a time.
#include "health/check_schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace flare {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kStart = 1'000 * kSecond;

TEST(CheckSchedule, SpreadsTheFirstChecksOverAnInterval) {
  CheckSchedule schedule(1);
  for (std::uint64_t key = 0; key < 1000; ++key) schedule.set(key, 2 * kSecond, kStart);
  for (std::uint64_t tenth = 1; tenth <= 10; ++tenth) {
    int due = 0;
    while (schedule.take(kStart + tenth * kSecond / 5)) ++due;
    EXPECT_GT(due, 60) << tenth;
    EXPECT_LT(due, 140) << tenth;
  }
  EXPECT_FALSE(schedule.next_due_ns()) << "all of them run";
}

TEST(CheckSchedule, ComesBackAfterAnIntervalGiveOrTakeAFifth) {
  CheckSchedule schedule(2);
  schedule.set(7, kSecond, kStart);
  std::uint64_t now = kStart + kSecond;
  std::vector<std::uint64_t> gaps;
  for (int i = 0; i < 500; ++i) {
    ASSERT_EQ(schedule.take(now), 7U);
    schedule.done(7, now, now + kSecond / 100);
    gaps.push_back(*schedule.next_due_ns() - now);
    now = *schedule.next_due_ns();
  }
  const auto [least, most] = std::minmax_element(gaps.begin(), gaps.end());
  EXPECT_GE(*least, kSecond * 8 / 10);
  EXPECT_LE(*most, kSecond * 12 / 10);
  EXPECT_GT(*most - *least, kSecond * 35 / 100) << "jitter that is none";
}

TEST(CheckSchedule, HasOneCheckOfAKeyAtATime) {
  CheckSchedule schedule(3);
  schedule.set(7, kSecond, kStart);
  ASSERT_EQ(schedule.take(kStart + kSecond), 7U);
  EXPECT_FALSE(schedule.take(kStart + 100 * kSecond));
  schedule.done(7, kStart + kSecond, kStart + 100 * kSecond);
  EXPECT_EQ(schedule.next_due_ns(), kStart + 100 * kSecond) << "late, but not for that later";
}

TEST(CheckSchedule, HurriesOneThatWaits) {
  CheckSchedule schedule(4);
  schedule.set(7, 100 * kSecond, kStart);
  schedule.hurry(7, kStart);
  EXPECT_EQ(schedule.take(kStart), 7U);
}

TEST(CheckSchedule, HurriesOneThatRunsOnceItIsDone) {
  CheckSchedule schedule(5);
  schedule.set(7, kSecond, kStart);
  ASSERT_EQ(schedule.take(kStart + kSecond), 7U);
  schedule.hurry(7, kStart + kSecond);
  EXPECT_FALSE(schedule.take(kStart + kSecond));
  schedule.done(7, kStart + kSecond, kStart + kSecond + 5);
  EXPECT_EQ(schedule.take(kStart + kSecond + 5), 7U);
}

TEST(CheckSchedule, ForgetsWhatIsRemovedWhetherItWaitsOrRuns) {
  CheckSchedule schedule(6);
  schedule.set(7, kSecond, kStart);
  schedule.remove(7);
  EXPECT_FALSE(schedule.next_due_ns());
  schedule.set(8, kSecond, kStart);
  ASSERT_EQ(schedule.take(kStart + kSecond), 8U);
  schedule.remove(8);
  schedule.done(8, kStart + kSecond, kStart + 2 * kSecond);
  EXPECT_FALSE(schedule.next_due_ns());
  EXPECT_EQ(schedule.size(), 0U);
}

TEST(CheckSchedule, KnowsTheCheckOfAnEarlierOwnerOfTheKey) {
  CheckSchedule schedule(7);
  schedule.set(7, kSecond, kStart);
  ASSERT_EQ(schedule.take(kStart + kSecond), 7U);
  schedule.remove(7);
  schedule.set(7, kSecond, kStart + kSecond);
  ASSERT_EQ(schedule.take(kStart + 2 * kSecond), 7U);
  schedule.done(7, kStart + kSecond, kStart + 3 * kSecond);
  EXPECT_FALSE(schedule.next_due_ns()) << "the second check still runs";
}

TEST(CheckSchedule, TellsHowLateItIs) {
  CheckSchedule schedule(8);
  schedule.set(7, kSecond, kStart);
  const std::uint64_t due = *schedule.next_due_ns();
  ASSERT_TRUE(schedule.take(due + 3 * kSecond));
  EXPECT_DOUBLE_EQ(schedule.lateness(), 3);
}

}  // namespace
}  // namespace flare
