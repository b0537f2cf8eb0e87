// T5 and T6: what spilling costs, by both accountings.
#pragma once

#include "eval/report/targets.h"

namespace flare::eval {

Target hour_target(const Results& results, const lab::Prices& prices);
Target doubled_target(const Results& results, const lab::Prices& prices);

/// Of the median runs, least and most over repetitions.
Spread extra_by_paper(const Results& results, const lab::Prices& prices, const Cell& cell,
                      const Cell& base);
Spread extra_by_node_seconds(const Results& results, const lab::Prices& prices, const Cell& cell,
                             const Cell& base);

}  // namespace flare::eval
