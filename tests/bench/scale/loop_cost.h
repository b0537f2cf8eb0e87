// What the agent's regular work takes, done here in its place while no flared runs.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

namespace flare::bench {

/// Applies `config` to the pinned maps, turns the control loop and sweeps all flows. Milliseconds
/// of wall clock and of this process's CPU.
nlohmann::json loop_cost(const std::filesystem::path& config);

}  // namespace flare::bench
