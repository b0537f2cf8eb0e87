// The report for a person: runs side by side, the price table, the checks.
#pragma once

#include <string>
#include <vector>

#include "report/findings.h"

namespace flare::lab {

std::string table_of(const std::vector<RunSummary>& runs, const Terms& terms);
std::string text_of(const std::vector<Check>& checks);

}  // namespace flare::lab
