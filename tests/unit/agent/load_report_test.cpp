#include "service/load_report.h"

#include <gtest/gtest.h>

namespace flare {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kStart = 100 * kSecond;

TEST(ReportedLoad, IsARateOverHalfASecondAtLeast) {
  ReportedLoad load;
  load.add({12, 1000}, kStart);
  EXPECT_EQ(load.in_flight(kStart), 12U);
  EXPECT_FALSE(load.mrps(kStart)) << "of one count";
  load.add({12, 1100}, kStart + kSecond / 10);
  EXPECT_FALSE(load.mrps(kStart + kSecond / 10));
  load.add({12, 1250}, kStart + kSecond / 2);
  EXPECT_EQ(load.mrps(kStart + kSecond / 2), 500'000U);
  load.add({12, 1270}, kStart + kSecond);
  EXPECT_EQ(load.mrps(kStart + kSecond), 40'000U);
}

TEST(ReportedLoad, TakesACounterThatGoesBackForARestart) {
  ReportedLoad load;
  load.add({{}, 1'000'000}, kStart);
  load.add({{}, 1'000'500}, kStart + kSecond);
  load.add({{}, 20}, kStart + 2 * kSecond);
  EXPECT_EQ(load.mrps(kStart + 2 * kSecond), 500'000U) << "what it was before";
  load.add({{}, 320}, kStart + 3 * kSecond);
  EXPECT_EQ(load.mrps(kStart + 3 * kSecond), 300'000U);
}

TEST(ReportedLoad, IsBelievedForFiveSeconds) {
  ReportedLoad load;
  load.add({12, 1000}, kStart);
  load.add({13, 1500}, kStart + kSecond);
  EXPECT_EQ(load.in_flight(kStart + 6 * kSecond), 13U);
  EXPECT_EQ(load.mrps(kStart + 6 * kSecond), 500'000U);
  EXPECT_FALSE(load.is_late(kStart + 6 * kSecond));
  EXPECT_FALSE(load.in_flight(kStart + 6 * kSecond + 1));
  EXPECT_FALSE(load.mrps(kStart + 6 * kSecond + 1));
  EXPECT_TRUE(load.is_late(kStart + 6 * kSecond + 1));
  load.add({14, 90'000}, kStart + 60 * kSecond);
  EXPECT_FALSE(load.mrps(kStart + 60 * kSecond)) << "a minute's mean is no rate of now";
  load.add({14, 90'100}, kStart + 61 * kSecond);
  EXPECT_EQ(load.mrps(kStart + 61 * kSecond), 100'000U);
}

TEST(ReportedLoad, KeepsTheAgesOfItsPartsApart) {
  ReportedLoad load;
  load.add({12, {}}, kStart);
  load.add({{}, 1000}, kStart + 4 * kSecond);
  EXPECT_EQ(load.in_flight(kStart + 5 * kSecond), 12U);
  EXPECT_FALSE(load.in_flight(kStart + 6 * kSecond));
  EXPECT_FALSE(load.is_late(kStart + 6 * kSecond));
}

TEST(ReportedLoad, IsNotLateBeforeItCouldCome) {
  ReportedLoad load;
  load.expect(kStart);
  EXPECT_FALSE(load.is_late(kStart + 5 * kSecond));
  EXPECT_TRUE(load.is_late(kStart + 5 * kSecond + 1));
  ReportedLoad next;
  next.resume(kStart - kSecond, 30);
  EXPECT_EQ(next.in_flight(kStart), 30U);
  EXPECT_FALSE(next.is_late(kStart + 4 * kSecond));
}

}  // namespace
}  // namespace flare
