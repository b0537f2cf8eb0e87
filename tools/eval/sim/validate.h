// The testbed's runs against simulated ones of the same arrivals and the same work.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"
#include "eval/sim/run.h"
#include "eval/sim/table.h"

namespace flare::eval {

/// By how much a simulated peak P95 may differ from the testbed's.
constexpr double kPeakBound = 0.15;

struct ValidateConfig {
  bool least = true;     ///< the testbed's `select`, where run.json does not say
  double cold_ms = 250;  ///< of cells with cold functions, where run.json does not say
  int jobs = 2;
};

struct Validation {
  Table table;
  int cells = 0;
  int outside = 0;  ///< cells beyond the bound
};

/// Compares each cell under `folder`/runs, the median of its repetitions that are not void. An
/// error where the folder has no run that can be read.
Result<Validation> validate(const std::string& folder, const ValidateConfig& config);

/// The simulation of a testbed's run, from its run.json and its load.json.
Result<RunConfig> config_of_run(const nlohmann::json& run, const nlohmann::json& load,
                                const ValidateConfig& config);

}  // namespace flare::eval
