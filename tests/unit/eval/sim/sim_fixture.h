// Runs of a node whose requests are all kept.
#pragma once

#include <vector>

#include "eval/sim/node.h"

namespace flare::eval {

struct AllServed final : Sink {
  void take(const Served& served) override { all.push_back(served); }
  std::vector<Served> all;
};

/// Open arrivals of the same rate, from second 0 on; a fixed fleet unless the config says
/// otherwise.
struct SteadyRun {
  NodeConfig config;
  AllServed served;
  NodeOutcome outcome;

  SteadyRun() {
    config.autoscaled = false;
    config.timeout_ns = INT64_MAX / 4;
  }
  void run(double rps, int seconds, bool users = false) {
    lab::RatePlan plan;
    plan.rates.assign(static_cast<std::size_t>(seconds), rps);
    const auto arrivals =
        users ? lab::user_arrivals(plan, config.seed) : lab::open_arrivals(plan, config.seed);
    outcome = SimNode(config, 0).run(*arrivals, served, seconds * kSecondNs);
  }
  std::uint64_t spilled() const {
    std::uint64_t count = 0;
    for (const Served& one : served.all) count += one.tier == FLARE_TIER_SERVERLESS ? 1 : 0;
    return count;
  }
};

}  // namespace flare::eval
