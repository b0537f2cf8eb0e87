#include "eval/sim/tables.h"

#include <limits>

#include "report/price.h"

namespace flare::eval {
namespace {

constexpr double kHourSeconds = 3600;
constexpr int kCalmNodes = 4;

}  // namespace

const std::vector<std::string>& table_names() {
  static const std::vector<std::string> names{"policies", "policies-hash", "capacity-error",
                                              "slow-vms", "connections",   "cold",
                                              "hour",     "nodes"};
  return names;
}

Result<Table> make_table(const std::string& name, const TableConfig& config) {
  if (name == "policies") return policies_table(config, true);
  if (name == "policies-hash") return policies_table(config, false);
  if (name == "capacity-error") return capacity_table(config);
  if (name == "slow-vms") return slow_table(config);
  if (name == "connections") return connections_table(config);
  if (name == "cold") return cold_table(config);
  if (name == "hour") return hour_table(config);
  if (name == "nodes") return nodes_table(config);
  return Error("there is no table '" + name + "'");
}

RunConfig run_of(SimPolicy policy, const Load& load) {
  RunConfig run;
  run.load = load;
  run.node.policy = policy;
  run.node.machines.least = true;
  if (policy == SimPolicy::kOverProvisioned) run.node.machines.pods *= 2;
  return run;
}

Outcomes run_all(const std::vector<RunConfig>& configs, const TableConfig& config) {
  const auto seeds = static_cast<std::size_t>(config.seeds);
  Outcomes outcomes(configs.size(), std::vector<RunOutcome>(seeds));
  in_parallel(configs.size() * seeds, config.jobs, [&](std::size_t at) {
    RunConfig one = configs[at / seeds];
    one.node.seed = at % seeds + 1;
    one.objective_ms = config.objective_ms;
    outcomes[at / seeds][at % seeds] = run(one);
  });
  return outcomes;
}

double peak_p95(const RunOutcome& outcome) {
  return outcome.summary.peaks.p95_ms.value_or(std::numeric_limits<double>::infinity());
}

double seconds_over(const RunOutcome& outcome) { return outcome.summary.peaks.seconds_p95_over; }

double spilled(const RunOutcome& outcome) {
  return static_cast<double>(outcome.summary.total.serverless);
}

double serverless_part(const RunOutcome& outcome) {
  const double hour_usd = kCalmNodes * lab::Prices{}.vm_usd_per_hour * kHourSeconds / 3600;
  return outcome.serverless_usd / hour_usd;
}

}  // namespace flare::eval
