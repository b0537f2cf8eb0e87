// The health of backends as the control socket tells it. docs/control.md.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "health/health_watch.h"

namespace flare {

/// Counts by phase of all of `views`, and in words those backends that are not simply up, as many
/// as fit into an answer: `left_out` says how many did not.
nlohmann::json health_json(const std::vector<HealthView>& views, std::uint64_t now_ns);

/// One sentence on the same.
std::string health_sentence(const std::vector<HealthView>& views);

}  // namespace flare
