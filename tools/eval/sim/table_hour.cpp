// What an hour costs.
#include "eval/sim/tables.h"
#include "report/price.h"

namespace flare::eval {
namespace {

using enum SimPolicy;

/// Nodes and functions of a run against the calm fleet for as long: (a) the calm fleet whatever was
/// added, the Flare paper's account; (b) every node-second.
double cost_a(const RunOutcome& outcome) {
  const double usd_per_s = lab::Prices{}.vm_usd_per_hour / 3600;
  return outcome.serverless_usd / (outcome.calm_node_seconds * usd_per_s);
}

double cost_b(const RunOutcome& outcome) {
  return outcome.node_seconds / outcome.calm_node_seconds - 1 + cost_a(outcome);
}

std::string added(std::vector<double> parts) {
  for (double& part : parts) part *= 100;
  return spread(std::move(parts), 1) + " %";
}

}  // namespace

Result<Table> hour_table(const TableConfig& config) {
  Table table{
      "hour",
      "The cost of an hour beyond that of the calm fleet (4 nodes), users",
      "(a) calm fleet + serverless: the Flare paper's account, in which over-provisioned is "
      "twice the fleet; (b) every node-second, with 5 min of HPA's and 10 min of the cluster "
      "autoscaler's patience. Lambda 1,769 MB at 0.0000166667 USD per GB-s and 0.20 USD per "
      "million, t3.xlarge 0.1670 USD an hour.",
      {"trace", "policy", "serverless requests", "cost (a)", "cost (b)", "s P95 > SLO",
       "against over-provisioned, (a)"},
      {}};
  const std::vector<SimPolicy> policies{
      kVmOnly, kOverProvisioned, kServerlessOnly, kL7Lag, kL7, kFormula, kCap, kCapLearned};
  for (const char* trace : {"sustained", "short", "steady"}) {
    const bool steady = std::string_view(trace) == "steady";
    const std::string file =
        config.traces + "/twitter_" + (steady ? "" : "spike_") + trace + "_1s.csv";
    auto load = hour_load(file);
    if (!load) return load.error();
    load->users = true;
    std::vector<RunConfig> runs;
    runs.reserve(policies.size());
    for (const SimPolicy policy : policies) runs.push_back(run_of(policy, *load));
    const Outcomes outcomes = run_all(runs, config);
    for (std::size_t at = 0; at < policies.size(); ++at) {
      const bool twice = policies[at] == kOverProvisioned;
      const auto a = figures(outcomes[at], [&](const RunOutcome& outcome) {
        return cost_a(outcome) + (twice ? 1 : 0);
      });
      table.rows.push_back(
          {trace, std::string(to_word(policies[at])), spread(figures(outcomes[at], spilled)),
           added(a), added(figures(outcomes[at], cost_b)),
           spread(figures(outcomes[at], seconds_over)), percent((1 + median_of(a)) / 2 - 1)});
    }
  }
  return table;
}

}  // namespace flare::eval
