// What a run costs, by two accountings. Prices are those of tools/lab/report/price.h.
#pragma once

#include "eval/report/run.h"
#include "report/price.h"

namespace flare::eval {

struct Costs {
  double serverless_usd = 0;  ///< of the run from second 0
  double hour_usd = 0;        ///< of the nodes there at second 0, for an hour
  double nodes_usd = 0;       ///< of every node-second of the run
};

Costs costs_of(const Run& run, const lab::Prices& prices);

/// (a) The paper's accounting, over the calm fleet's hour: the fleet of second 0 and what was
/// spilled, which within the hour is spilled in the run alone. 0.03 is 3 % more than `base`'s
/// fleet.
double extra_by_paper(const Costs& costs, const Costs& base);

/// (b) Every node-second of the run and what was spilled, over those of `base`.
double extra_by_node_seconds(const Costs& costs, const Costs& base);

}  // namespace flare::eval
