// Many nodes, each with its own pods, its own share of the load and its own Flare, which knows
// nothing of the others. Given their arrivals they are independent, so they are simulated one after
// the other, in the memory of one for each thread.
#pragma once

#include <cstdint>
#include <vector>

#include "eval/sim/config.h"
#include "eval/sim/histogram.h"
#include "eval/sim/run.h"

namespace flare::eval {

struct NodesConfig {
  NodeConfig node;
  int nodes = 10;
  /// Standard deviation over mean of the nodes' shares of the load, which are lognormal; 0: equal.
  double imbalance = 0;
  Load load;  ///< of one node, were they equal; open arrivals
  double objective_ms = 400;
  std::uint64_t seed = 1;
  int jobs = 2;
};

struct NodesOutcome {
  std::uint64_t requests = 0;  ///< from second 0 on
  std::uint64_t spilled = 0;
  std::uint64_t over_objective = 0;
  double serverless_usd = 0;
  double peak_p95_ms = 0;  ///< of all nodes' requests of a second
  int seconds_over = 0;
  /// What had to be spilled: load beyond the capacity of all nodes together, second by second ...
  double excess = 0;
  /// ... and beyond each node's own, added up.
  double excess_alone = 0;
  std::uint64_t simulated = 0;  ///< requests, those of the lead-in too
  double cpu_s = 0;             ///< of all threads, for these
};

NodesOutcome run_nodes(const NodesConfig& config);

/// Shares of the load, 1 on average.
std::vector<double> shares_of(int nodes, double imbalance, std::uint64_t seed);

}  // namespace flare::eval
