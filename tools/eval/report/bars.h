// Policies compared by bars: worst second, seconds over the objective, what was spilled, its cost.
#pragma once

#include <vector>

#include "eval/report/panels.h"
#include "eval/report/plots.h"

namespace flare::eval {

Plot bars_plot(const Source& source, const std::vector<Panel>& panels);

}  // namespace flare::eval
