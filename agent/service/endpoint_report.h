// What a control plane is told of backends: as JSON of the control socket, and in a sentence.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "service/service_set.h"

namespace flare {

/// `services[]` with their backends, 700 of these at most, so that an answer stays within what the
/// control socket holds, and how many were `left_out`.
nlohmann::json endpoints_json(std::span<const ServiceEndpoints> services);

/// A service without its backends, and `backend`: the one, or null.
nlohmann::json endpoint_json(const ServiceEndpoints& service);

/// "web: workers 12, cap 18, capacity 164.4/s, generation 7".
std::string endpoints_sentence(const ServiceEndpoints& service);

}  // namespace flare
