// Whether nodes that decide alone spill what the service as a whole must.
#include <algorithm>
#include <cstdio>

#include "eval/sim/nodes.h"
#include "eval/sim/tables.h"

namespace flare::eval {
namespace {

using enum SimPolicy;

constexpr int kBefore = 5;
constexpr int kAfter = 20;

struct Row {
  SimPolicy policy;
  int pods;  ///< of a node
  int nodes;
  double imbalance;
};

std::vector<Row> rows() {
  std::vector<Row> rows;
  for (const int nodes : {1, 10, 100, 1000}) {
    for (const double imbalance : {0.0, 0.05, 0.1, 0.2, 0.5}) {
      if (nodes > 1 || imbalance == 0) rows.push_back({kCap, 8, nodes, imbalance});
    }
  }
  rows.push_back({kFormula, 8, 1000, 0});
  rows.push_back({kL7Lag, 8, 1000, 0});
  rows.push_back({kVmOnly, 8, 1000, 0});
  // 8,767 requests a second of capacity: what a big machine has.
  rows.push_back({kCap, 160, 10, 0});
  rows.push_back({kCap, 160, 100, 0});
  rows.push_back({kCap, 160, 100, 0.1});
  rows.push_back({kCap, 160, 1000, 0});
  rows.push_back({kCap, 160, 1000, 0.1});
  return rows;
}

std::string number(double value, const char* format = "%.0f") {
  char text[64];
  std::snprintf(text, sizeof(text), format, value);
  return text;
}

}  // namespace

Result<Table> nodes_table(const TableConfig& config) {
  const auto load = spike_load(config.traces + "/twitter_spike_sustained_1s.csv", kBefore, kAfter);
  if (!load) return load.error();
  Table table{"nodes",
              "Nodes that decide alone, -5...+20 s round the onset, open arrivals",
              "spilled/needed: against the load beyond the capacity of all nodes together; "
              "spilled/alone: beyond each node's own, added up; imbalance: s.d. over mean of the "
              "nodes' loads (lognormal). No autoscaler, warm functions, pods by the less loaded of "
              "two, P95 of all requests of a second to 1/128.",
              {"policy", "nodes", "capacity a node, RPS", "imbalance", "peak RPS", "requests",
               "spilled", "spilled/needed", "spilled/alone", "peak P95 ms", "s P95 > SLO",
               "over SLO", "serverless USD", "ns of CPU a request"},
              {}};
  for (const Row& row : rows()) {
    NodesConfig run;
    run.node.policy = row.policy;
    run.node.machines.pods = row.pods;
    run.node.machines.least = true;
    run.node.autoscaled = false;
    run.node.functions.ramp = false;
    run.nodes = row.nodes;
    run.imbalance = row.imbalance;
    run.objective_ms = config.objective_ms;
    run.jobs = config.jobs;
    run.load = *load;
    run.load.lead_in = 2;
    for (double& rate : run.load.rates) rate *= row.pods / 8.0;
    const NodesOutcome outcome = run_nodes(run);
    const auto spilled = static_cast<double>(outcome.spilled);
    const auto requests = static_cast<double>(outcome.requests);
    table.rows.push_back({std::string(to_word(row.policy)), number(row.nodes),
                          number(run.node.machines.capacity_rps()), percent(row.imbalance, 0),
                          number(*std::ranges::max_element(run.load.rates) * row.nodes),
                          number(requests), number(spilled),
                          number(spilled / outcome.excess, "%.3f"),
                          number(spilled / outcome.excess_alone, "%.3f"),
                          number(outcome.peak_p95_ms), number(outcome.seconds_over),
                          percent(static_cast<double>(outcome.over_objective) / requests, 3),
                          number(outcome.serverless_usd, "%.2f"),
                          number(outcome.cpu_s * 1e9 / static_cast<double>(outcome.simulated))});
  }
  return table;
}

}  // namespace flare::eval
