// The picture of the runs: load, serverless share and latency over time, a column a run.
#pragma once

#include <string>
#include <vector>

#include "report/findings.h"

namespace flare::lab {

/// A self-contained SVG. The runs share their axes, so that columns can be compared by eye.
std::string picture_of(const std::vector<RunSummary>& runs, const Terms& terms);

}  // namespace flare::lab
