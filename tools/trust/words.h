// The report as a page and as data.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "trust/judge.h"

namespace flare::trust {

/// docs/reliability.md.
std::string markdown_of(const Report& report);
/// build/reports/trust.json, schema flare-trust/1.
nlohmann::json json_of(const Report& report);

}  // namespace flare::trust
