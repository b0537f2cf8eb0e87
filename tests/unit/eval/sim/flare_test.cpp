// Flare in the simulator decides as the agent and the datapath do.
#include "eval/sim/flare.h"

#include <gtest/gtest.h>

#include "common/random.h"
#include "control/cap.h"
#include "control/formula.h"

namespace flare::eval {
namespace {

NodeConfig config_of(SimPolicy policy) {
  NodeConfig config;
  config.policy = policy;
  return config;
}

/// `count` requests in `second`, each over at once.
int send(Flare& flare, int second, int count) {
  int spilled = 0;
  for (int request = 0; request < count; ++request) {
    const std::int64_t now_ns = second * kSecondNs + request * (kSecondNs / count);
    const std::uint64_t hash = lab::mixed(static_cast<std::uint64_t>(second * 100'000 + request));
    const flare_tier tier = flare.choose(hash, now_ns);
    flare.begin(tier, true, now_ns);
    flare.end(tier, now_ns, now_ns, true);
    spilled += tier == FLARE_TIER_SERVERLESS ? 1 : 0;
  }
  return spilled;
}

const int kCounts[] = {200, 210, 190, 495, 510, 480, 470, 500, 430, 300, 200, 200, 200, 200, 200};

/// What the agent's formula makes of the counts, by second.
std::vector<std::uint64_t> shares_of_counts(double capacity_rps) {
  std::vector<std::uint64_t> shares;
  std::uint64_t before = 0;
  for (const int count : kCounts) {
    FormulaInput input;
    input.arrivals = static_cast<std::uint64_t>(count);
    input.arrivals_before = before;
    input.elapsed_ns = kSecondNs;
    input.elapsed_before_ns = shares.empty() ? 0 : kSecondNs;
    input.capacity_mrps = static_cast<std::uint64_t>(capacity_rps * 1000);
    shares.push_back(formula(input).share);
    before = input.arrivals;
  }
  return shares;
}

TEST(Flare, FormulaStepsAreTheAgents) {
  for (const double told : {0.8, 1.0}) {
    NodeConfig config = config_of(SimPolicy::kL7);
    config.told = told;
    Flare flare(config);
    flare.control(0);
    const auto expected = shares_of_counts(told * config.machines.capacity_rps());
    for (std::size_t second = 0; second < std::size(kCounts); ++second) {
      const auto at = static_cast<int>(second);
      send(flare, at, kCounts[second]);
      flare.control((at + 1) * kSecondNs);
      EXPECT_EQ(flare.share(), expected[second]) << "second " << second;
    }
    EXPECT_GT(*std::max_element(expected.begin(), expected.end()), FLARE_SHARE_ONE / 10);
  }
}

TEST(Flare, LaggedFormulaIsFiveSecondsLate) {
  NodeConfig config = config_of(SimPolicy::kL7Lag);
  Flare flare(config);
  flare.control(0);
  const auto expected = shares_of_counts(config.told * config.machines.capacity_rps());
  for (std::size_t second = 0; second < std::size(kCounts); ++second) {
    const auto at = static_cast<int>(second);
    send(flare, at, kCounts[second]);
    flare.control((at + 1) * kSecondNs);
    EXPECT_EQ(flare.share(), second < 5 ? 0 : expected[second - 5]) << "second " << second;
  }
}

TEST(Flare, ShareSendsItsPartAway) {
  Flare flare(config_of(SimPolicy::kL7));
  flare.control(0);
  send(flare, 0, 600);
  flare.control(kSecondNs);
  send(flare, 1, 600);
  flare.control(2 * kSecondNs);
  const double share = share_to_fraction(flare.share());
  EXPECT_NEAR(share, 1 - 0.92 * 438.36 / 600, 0.001);
  EXPECT_NEAR(send(flare, 2, 20'000) / 20'000.0, share, 0.01);
}

TEST(Flare, CapSpillsExactlyWhereItIsReached) {
  Flare flare(config_of(SimPolicy::kCap));
  EXPECT_EQ(flare.cap(), cap_of(32));
  for (std::uint32_t request = 0; request < 60; ++request) {
    // Slowly, so that the bucket is full.
    const std::int64_t now_ns = request * kSecondNs;
    const flare_tier tier = flare.choose(request, now_ns);
    EXPECT_EQ(tier, request < cap_of(32) ? FLARE_TIER_VM : FLARE_TIER_SERVERLESS) << request;
    flare.begin(tier, true, now_ns);
  }
  EXPECT_EQ(flare.counters().spilled[FLARE_SPILL_CAP], 60 - cap_of(32));
  flare.tell_pods(12);
  EXPECT_EQ(flare.choose(1, 100 * kSecondNs), FLARE_TIER_VM) << "ready pods raise the cap at once";
}

TEST(Flare, BucketHoldsThirtyThreeTokens) {
  Flare flare(config_of(SimPolicy::kFormula));
  int taken = 0;
  while (taken < 5000 && flare.choose(1, 0) == FLARE_TIER_VM) ++taken;
  EXPECT_EQ(taken, 33);
  EXPECT_EQ(flare.choose(1, kSecondNs / 400), FLARE_TIER_VM);
  EXPECT_EQ(flare.choose(1, kSecondNs / 400), FLARE_TIER_SERVERLESS);
}

TEST(Flare, RequestsOnOpenConnectionsAreCharged) {
  Flare flare(config_of(SimPolicy::kFormula));
  for (int request = 0; request < 33; ++request) flare.begin(FLARE_TIER_VM, false, 0);
  EXPECT_EQ(flare.choose(1, 0), FLARE_TIER_SERVERLESS);
}

TEST(Flare, ServerlessGrowsNoFasterThanItsRamp) {
  NodeConfig config = config_of(SimPolicy::kServerlessOnly);
  Flare flare(config);
  int served = 0;
  for (; served < 5000 && flare.choose(1, 0) == FLARE_TIER_SERVERLESS; ++served) {
    flare.begin(FLARE_TIER_SERVERLESS, true, 0);
  }
  EXPECT_EQ(served, 1000);
  EXPECT_EQ(flare.counters().refused[FLARE_REFUSAL_SPEND_RAMP], 1U);
  EXPECT_EQ(flare.choose(1, kSecondNs), FLARE_TIER_SERVERLESS);
}

TEST(Flare, LearnsWorkersThatNobodyTold) {
  Flare flare(config_of(SimPolicy::kCapLearned));
  EXPECT_EQ(flare.cap(), 0U);
  flare.control(0);
  for (int second = 0; second < 20; ++second) {
    for (int request = 0; request < 200; ++request) {
      const std::int64_t now_ns = second * kSecondNs + request * (kSecondNs / 200);
      flare.begin(FLARE_TIER_VM, true, now_ns);
      flare.end(FLARE_TIER_VM, now_ns - 73'000'000, now_ns, true);
    }
    flare.control((second + 1) * kSecondNs);
  }
  // 200 requests a second of 73 ms are 14.6 at once; 1.5 times that and three deviations are 33.
  EXPECT_NEAR(flare.cap(), 33, 2);
}

}  // namespace
}  // namespace flare::eval
