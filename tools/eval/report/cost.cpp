#include "eval/report/cost.h"

namespace flare::eval {

Costs costs_of(const Run& run, const lab::Prices& prices) {
  const Spilled& spilled = run.measures.spilled;
  return {lab::lambda_usd(prices, spilled.requests, spilled.billed_ms),
          run.fleet.first_nodes().value_or(0) * prices.vm_usd_per_hour,
          run.fleet.node_seconds / 3600 * prices.vm_usd_per_hour};
}

double extra_by_paper(const Costs& costs, const Costs& base) {
  return (costs.hour_usd + costs.serverless_usd) / (base.hour_usd + base.serverless_usd) - 1;
}

double extra_by_node_seconds(const Costs& costs, const Costs& base) {
  return (costs.nodes_usd + costs.serverless_usd) / (base.nodes_usd + base.serverless_usd) - 1;
}

}  // namespace flare::eval
