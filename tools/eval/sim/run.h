// One service on one node, measured as the testbed's runs are.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "eval/sim/config.h"
#include "eval/sim/node.h"
#include "load/summary.h"
#include "report/price.h"

namespace flare::eval {

/// Rates by second and who sends them.
struct Load {
  std::vector<double> rates;            ///< from second 0 on
  int lead_in = 20;                     ///< seconds of rising load before, which are not measured
  int onset_s = -1;                     ///< second of the onset; -1: there is none
  bool users = false;                   ///< closed loop; false: Poisson
  std::optional<std::uint64_t> seed{};  ///< of the arrivals; the node's unless told
};

struct RunConfig {
  NodeConfig node;
  Load load;
  double objective_ms = 400;
};

struct RunOutcome {
  lab::Summary summary;
  NodeOutcome node;
  std::uint64_t over_after_onset = 0;  ///< requests over the objective until 150 s after the onset
  std::uint64_t after_onset = 0;       ///< all requests in that time
  double serverless_usd = 0;
  double node_seconds = 0;       ///< from second 0 to the end
  double calm_node_seconds = 0;  ///< those of the calm fleet of eight pods
};

/// Until 30 s before the onset nothing scales, so that all policies meet it with the same fleet.
RunOutcome run(const RunConfig& config);

/// A part of a trace, scaled so that its calm part is 200 requests a second. An error where the
/// file cannot be read or has no spike.
Result<Load> spike_load(const std::string& file, int before_s, int after_s);
/// The whole hour, with a spike or without.
Result<Load> hour_load(const std::string& file);
/// The same rate for `seconds`.
Load steady_load(double rps, int seconds);

/// Seconds from the onset on until ten in a row are within the objective; nothing where it never
/// is.
std::optional<int> recovery_s(const lab::Summary& summary, int onset_s, double objective_ms);

}  // namespace flare::eval
