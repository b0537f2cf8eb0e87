// What is concluded from a run: spilling against the true excess, price, and whether it was as it
// has to be. Pure functions over the runs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "report/price.h"
#include "report/run_summary.h"

namespace flare::lab {

/// What the runs are judged by.
struct Terms {
  double capacity_rps = 438;
  double objective_ms = 400;  ///< for P95
  int calm_until = 0;         ///< seconds before this one are the calm part
  Prices prices = {};
};

struct Findings {
  /// The true excess: the sum over the run's seconds of max(0, requests - capacity), requests being
  /// counted by their intended start, in this run, on both tiers.
  double excess = 0;
  std::optional<double> spilled_to_excess;  ///< nothing where there was no excess
  std::uint64_t spilled_calm = 0;           ///< in the calm part, and in the lead-in before it
  double usd = 0;                           ///< of all spilled requests
};

Findings findings_of(const RunSummary& run, const Terms& terms);

/// A sentence that must hold, and whether it does.
struct Check {
  std::string key;
  std::string sentence;
  bool holds = false;
};

/// What must be shown of a run without Flare and one with it, in the words of their labels.
std::vector<Check> checks_of(const RunSummary& without, const RunSummary& with, const Terms& terms);

}  // namespace flare::lab
