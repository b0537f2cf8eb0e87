#include "eval/fleet/hpa.h"

#include <gtest/gtest.h>

namespace flare::eval {
namespace {

using State = PodFigure::State;

std::vector<PodFigure> pods(int ready, double cpu, int unready = 0, int missing = 0) {
  std::vector<PodFigure> figures(static_cast<std::size_t>(ready), {State::kReady, cpu});
  figures.insert(figures.end(), static_cast<std::size_t>(unready), {State::kUnready, 0});
  figures.insert(figures.end(), static_cast<std::size_t>(missing), {State::kMissing, 0});
  return figures;
}

int decide(Hpa& hpa, int second, int current, int proposal) {
  const int proposals[] = {proposal};
  return hpa.decide(second * kSecondNs, current, proposals, false);
}

const HpaConfig kConfig;

TEST(PodsByCpu, StayWithinTheTolerance) {
  EXPECT_EQ(pods_by_cpu(pods(8, 0.54), 8, kConfig), 8);
  EXPECT_EQ(pods_by_cpu(pods(8, 0.46), 8, kConfig), 8);
}

TEST(PodsByCpu, AreInProportionBeyondIt) {
  EXPECT_EQ(pods_by_cpu(pods(8, 0.57), 8, kConfig), 10);  // 9.12, rounded up
  EXPECT_EQ(pods_by_cpu(pods(8, 1.0), 8, kConfig), 16);
  EXPECT_EQ(pods_by_cpu(pods(8, 0.25), 8, kConfig), 4);
}

TEST(PodsByCpu, CountPodsThatAreNotReadyAsIdleOnTheWayUp) {
  // 8 full ones ask for 16; with 8 more on their way they are at the target.
  EXPECT_EQ(pods_by_cpu(pods(8, 1.0, 8), 16, kConfig), 16);
  // 0.8 x 8 = 6.4 of 12 pods is 0.533, within the tolerance.
  EXPECT_EQ(pods_by_cpu(pods(8, 0.8, 4), 12, kConfig), 12);
  // On the way down they do not count: 8 x 0.25 / 0.5 = 4.
  EXPECT_EQ(pods_by_cpu(pods(8, 0.25, 4), 12, kConfig), 4);
}

TEST(PodsByCpu, CountPodsWithoutMetricAsBusyOnTheWayDown) {
  // 8 x 0.25 + 2 x 1 = 4 of 10: 0.4 / 0.5 x 10 = 8.
  EXPECT_EQ(pods_by_cpu(pods(8, 0.25, 0, 2), 10, kConfig), 8);
  // ... and as idle on the way up: 8 of 10 / 0.5 = 16.
  EXPECT_EQ(pods_by_cpu(pods(8, 1.0, 0, 2), 10, kConfig), 16);
}

TEST(PodsByCpu, NeverTurnTheDirection) {
  // Ready pods are above the target, with idle ones below: stays.
  EXPECT_EQ(pods_by_cpu(pods(4, 0.9, 8), 12, kConfig), 12);
  // Ready pods are below, with busy ones above: stays.
  EXPECT_EQ(pods_by_cpu(pods(2, 0.4, 0, 6), 8, kConfig), 8);
}

TEST(PodsByCpu, AreUnknownWhereNoPodHasAFigure) {
  EXPECT_EQ(pods_by_cpu(pods(0, 0, 3, 2), 5, kConfig), std::nullopt);
}

TEST(PodsByRps, AreTheTotalOverTheTarget) {
  HpaConfig config;
  config.rps_target = 25;
  EXPECT_EQ(pods_by_rps(200, 8, config), 8);
  EXPECT_EQ(pods_by_rps(219, 8, config), 8);   // 1.095
  EXPECT_EQ(pods_by_rps(221, 8, config), 9);   // 1.105
  EXPECT_EQ(pods_by_rps(495, 8, config), 20);  // 19.8
}

TEST(Hpa, GrowsByDoublingOrFourInAPeriod) {
  Hpa hpa(kConfig, 1, 100);
  EXPECT_EQ(decide(hpa, 0, 8, 50), 16);
  EXPECT_EQ(decide(hpa, 10, 16, 50), 16);  // within the period of the first step
  EXPECT_EQ(decide(hpa, 15, 16, 50), 32);
  Hpa small(kConfig, 1, 100);
  EXPECT_EQ(decide(small, 0, 2, 50), 6);
}

TEST(Hpa, StaysWithinItsBounds) {
  Hpa hpa(kConfig, 8, 24);
  EXPECT_EQ(decide(hpa, 0, 16, 50), 24);
  EXPECT_EQ(decide(hpa, 400, 24, 24), 24);
  EXPECT_EQ(decide(hpa, 701, 24, 2), 8);
}

TEST(Hpa, ShrinksToTheHighestRecommendationOfTheWindow) {
  Hpa hpa(kConfig, 1, 24);
  EXPECT_EQ(decide(hpa, 0, 16, 16), 16);
  EXPECT_EQ(decide(hpa, 15, 16, 12), 16);
  EXPECT_EQ(decide(hpa, 30, 16, 8), 16);
  EXPECT_EQ(decide(hpa, 299, 16, 8), 16);
  EXPECT_EQ(decide(hpa, 300, 16, 8), 12);  // that of second 0 is out of it
  EXPECT_EQ(decide(hpa, 315, 12, 8), 8);
}

TEST(Hpa, RemembersWhatThereWasWhenItFirstLooked) {
  Hpa hpa(kConfig, 1, 24);
  EXPECT_EQ(decide(hpa, 0, 16, 4), 16);
}

TEST(Hpa, DoesNotShrinkWhileAMetricCannotBeRead) {
  Hpa hpa(kConfig, 1, 24);
  const int fewer[] = {4};
  const int more[] = {12};
  EXPECT_EQ(hpa.decide(1000 * kSecondNs, 8, fewer, true), 8);
  EXPECT_EQ(hpa.decide(2000 * kSecondNs, 8, fewer, true), 8);
  EXPECT_EQ(hpa.decide(3000 * kSecondNs, 8, more, true), 12);
  EXPECT_EQ(hpa.decide(4000 * kSecondNs, 12, {}, true), 12);
}

TEST(Hpa, TakesTheHighestOfSeveralProposals) {
  Hpa hpa(kConfig, 1, 24);
  const int proposals[] = {4, 13, 9};
  EXPECT_EQ(hpa.decide(0, 8, proposals, false), 13);
}

}  // namespace
}  // namespace flare::eval
