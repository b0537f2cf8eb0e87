// When the load generator starts requests.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <vector>

#include "load/arrivals.h"

namespace flare::lab {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;

std::vector<Arrival> drain(Arrivals& arrivals, std::int64_t answer_after_ns) {
  std::vector<Arrival> all;
  while (const auto next = arrivals.peek()) {
    arrivals.pop();
    all.push_back(*next);
    arrivals.ended(*next, next->at_ns + answer_after_ns);
  }
  return all;
}

std::map<std::int64_t, int> by_second(const std::vector<Arrival>& all) {
  std::map<std::int64_t, int> counts;
  for (const Arrival& arrival : all) {
    ++counts[static_cast<std::int64_t>(std::floor(static_cast<double>(arrival.at_ns) / 1e9))];
  }
  return counts;
}

TEST(RatePlan, TheLeadInRisesToTheFirstRate) {
  const RatePlan plan = RatePlan::with_lead_in({200, 300}, 3);
  EXPECT_EQ(plan.start_ns(), -3 * kSecondNs);
  EXPECT_EQ(plan.end_second(), 2);
  EXPECT_EQ(plan.rate_at(-3), 50);
  EXPECT_EQ(plan.rate_at(-1), 150);
  EXPECT_EQ(plan.rate_at(0), 200);
  EXPECT_EQ(plan.rate_at(1), 300);
}

TEST(OpenArrivals, AreThePoissonProcessOfTheRates) {
  const RatePlan plan = RatePlan::with_lead_in(std::vector<double>(400, 500), 0);
  const auto counts = by_second(drain(*open_arrivals(plan, 1), 0));
  double sum = 0;
  double squares = 0;
  for (const auto& [second, count] : counts) {
    sum += count;
    squares += (count - 500.0) * (count - 500.0);
  }
  EXPECT_NEAR(sum / 400, 500, 4 * std::sqrt(500.0 / 400));
  // A Poisson count's variance is its mean; 400 of them give it to about 7 %.
  EXPECT_NEAR(squares / 400, 500, 500 * 0.28);
}

TEST(OpenArrivals, ComeInOrderAndAreTheSameForASeed) {
  const RatePlan plan = RatePlan::with_lead_in({50, 0, 200}, 2);
  const auto first = drain(*open_arrivals(plan, 3), 0);
  const auto again = drain(*open_arrivals(plan, 3), kSecondNs * 99);
  ASSERT_EQ(first.size(), again.size());
  for (std::size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(first[i].at_ns, again[i].at_ns);
    if (i > 0) {
      EXPECT_GE(first[i].at_ns, first[i - 1].at_ns);
    }
  }
  EXPECT_NE(drain(*open_arrivals(plan, 4), 0).front().at_ns, first.front().at_ns);
  EXPECT_EQ(by_second(first).count(1), 0U) << "a rate of 0 has no arrivals";
}

TEST(UserArrivals, AreAsManyAsTheRateWhenAnswersAreQuick) {
  const RatePlan plan = RatePlan::with_lead_in({20, 50, 50, 10, 30}, 0);
  auto counts = by_second(drain(*user_arrivals(plan, 1), kSecondNs / 10));
  EXPECT_EQ(counts, (std::map<std::int64_t, int>{{0, 20}, {1, 50}, {2, 50}, {3, 10}, {4, 30}}));
}

TEST(UserArrivals, AUserWaitsForItsAnswer) {
  const RatePlan plan = RatePlan::with_lead_in(std::vector<double>(12, 10), 0);
  std::map<std::uint32_t, std::int64_t> last;
  for (const Arrival& arrival : drain(*user_arrivals(plan, 1), 3 * kSecondNs)) {
    const auto before = last.find(arrival.user);
    if (before != last.end()) {
      EXPECT_EQ(arrival.at_ns, before->second + 3 * kSecondNs);
    }
    last[arrival.user] = arrival.at_ns;
  }
  EXPECT_EQ(last.size(), 10U);
}

TEST(UserArrivals, AUserStartsAtMostOneRequestASecond) {
  const RatePlan plan = RatePlan::with_lead_in({10, 40, 5, 40}, 2);
  std::map<std::uint32_t, std::int64_t> last;
  for (const Arrival& arrival : drain(*user_arrivals(plan, 1), 1)) {
    const auto before = last.find(arrival.user);
    if (before != last.end()) {
      EXPECT_GE(arrival.at_ns - before->second, kSecondNs);
    }
    last[arrival.user] = arrival.at_ns;
  }
  EXPECT_EQ(last.size(), 40U);
}

}  // namespace
}  // namespace flare::lab
