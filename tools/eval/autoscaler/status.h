// What the policy under test exports: the load over both tiers, and what it does about it.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace flare::eval {

/// A policy's state at a moment; what it does not know is missing.
struct PolicyStatus {
  std::optional<double> share;         ///< of new flows or requests for serverless, 0 to 1
  std::optional<std::uint32_t> cap;    ///< requests in flight at which the VM tier is full
  std::optional<double> arrivals_rps;  ///< both tiers
  std::optional<double> capacity_rps;  ///< as believed
  std::optional<std::uint64_t> in_flight_vm;
  std::optional<std::uint64_t> in_flight_serverless;
};

/// Reads a JSON object: of `flarectl -o json service show`, or of flare-l7-controller. An error
/// says what it was instead.
Result<PolicyStatus> parse_status(const std::string& json);

nlohmann::json to_json(const PolicyStatus& status, double t_s);

/// Runs a command (found in PATH, or with a path) and returns what it wrote to its standard output.
/// Fails where it cannot be run or ends with another status than 0.
Result<std::string> output_of(const std::vector<std::string>& command);

}  // namespace flare::eval
