#include "eval/sim/nodes.h"

#include <gtest/gtest.h>

#include <numeric>

namespace flare::eval {
namespace {

NodesConfig spike(int nodes, double imbalance) {
  NodesConfig config;
  config.nodes = nodes;
  config.imbalance = imbalance;
  config.node.autoscaled = false;
  config.node.machines.least = true;
  config.load = steady_load(200, 5);
  config.load.rates.insert(config.load.rates.end(), 10, 500);
  config.load.lead_in = 2;
  config.jobs = 1;
  return config;
}

TEST(Nodes, SharesHaveTheirMeanAndSpread) {
  const auto shares = shares_of(2000, 0.2, 1);
  const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
  EXPECT_NEAR(sum, 2000, 1e-6);
  double squares = 0;
  for (const double share : shares) squares += (share - 1) * (share - 1);
  EXPECT_NEAR(std::sqrt(squares / 2000), 0.2, 0.02);
  for (const double share : shares_of(10, 0, 1)) EXPECT_DOUBLE_EQ(share, 1);
}

TEST(Nodes, NeededIsWhatAllOfThemTogetherCannotServe) {
  const NodesOutcome equal = run_nodes(spike(20, 0));
  EXPECT_NEAR(equal.excess, 20 * 10 * (500 - 438.356), 0.1);
  EXPECT_NEAR(equal.excess_alone, equal.excess, 1e-6);
  const NodesOutcome unequal = run_nodes(spike(20, 0.3));
  EXPECT_DOUBLE_EQ(unequal.excess, equal.excess);
  EXPECT_GT(unequal.excess_alone, 1.5 * equal.excess);
  EXPECT_NEAR(static_cast<double>(unequal.spilled) / unequal.excess_alone, 1.0, 0.2);
}

TEST(Nodes, EqualNodesThatDecideAloneSpillWhatIsNeeded) {
  const NodesOutcome outcome = run_nodes(spike(20, 0));
  EXPECT_NEAR(static_cast<double>(outcome.spilled) / outcome.excess, 1.0, 0.2);
  EXPECT_EQ(outcome.seconds_over, 0);
  EXPECT_EQ(outcome.over_objective, 0U);
  EXPECT_NEAR(static_cast<double>(outcome.requests), 20 * (5 * 200 + 10 * 500), 1500);
}

TEST(Nodes, ThreadsChangeNothing) {
  NodesConfig config = spike(9, 0.1);
  const NodesOutcome one = run_nodes(config);
  config.jobs = 3;
  const NodesOutcome three = run_nodes(config);
  EXPECT_EQ(one.requests, three.requests);
  EXPECT_EQ(one.spilled, three.spilled);
  EXPECT_EQ(one.peak_p95_ms, three.peak_p95_ms);
  EXPECT_EQ(one.serverless_usd, three.serverless_usd);
}

}  // namespace
}  // namespace flare::eval
