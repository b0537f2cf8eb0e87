// Pods and nodes over time, with what the autoscaler did.
#pragma once

#include <vector>

#include "eval/report/panels.h"
#include "eval/report/plots.h"

namespace flare::eval {

Plot pods_plot(const std::vector<Panel>& panels);

}  // namespace flare::eval
