// The evaluation's tables, each from runs of its own.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "eval/sim/run.h"
#include "eval/sim/table.h"

namespace flare::eval {

struct TableConfig {
  std::string traces = "tools/traces";  ///< the folder
  int seeds = 3;                        ///< from 1 on
  int jobs = 2;
  double objective_ms = 400;
};

/// In the order in which they are shown.
const std::vector<std::string>& table_names();
Result<Table> make_table(const std::string& name, const TableConfig& config);

/// A run of a policy as the tables have it: pods by the less loaded of two, over-provisioned with
/// twice the pods.
RunConfig run_of(SimPolicy policy, const Load& load);

/// Runs each of `configs` with each seed. Element i holds the outcomes of configs[i].
using Outcomes = std::vector<std::vector<RunOutcome>>;
Outcomes run_all(const std::vector<RunConfig>& configs, const TableConfig& config);

/// A figure of each seed.
template <typename Figure>
std::vector<double> figures(const std::vector<RunOutcome>& outcomes, Figure figure) {
  std::vector<double> values;
  values.reserve(outcomes.size());
  for (const RunOutcome& outcome : outcomes) values.push_back(static_cast<double>(figure(outcome)));
  return values;
}

double peak_p95(const RunOutcome& outcome);
double seconds_over(const RunOutcome& outcome);
double spilled(const RunOutcome& outcome);
/// Serverless requests against the calm fleet for an hour.
double serverless_part(const RunOutcome& outcome);

// One function a table; table_*.cpp.
Result<Table> policies_table(const TableConfig& config, bool least);
Result<Table> capacity_table(const TableConfig& config);
Result<Table> slow_table(const TableConfig& config);
Result<Table> connections_table(const TableConfig& config);
Result<Table> hour_table(const TableConfig& config);
Result<Table> cold_table(const TableConfig& config);
Result<Table> nodes_table(const TableConfig& config);

}  // namespace flare::eval
