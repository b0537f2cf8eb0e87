// The maps of a datapath that is pinned: what memory they take, and a table full of flows.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/result.h"

namespace flare::bench {

template <typename Value>
Value require(Result<Value> result) {
  if (!result) throw std::runtime_error(result.error().message());
  return *std::move(result);
}
inline void require(const Result<void>& result) {
  if (!result) throw std::runtime_error(result.error().message());
}

/// Bytes by map (`maps`), of the selection tables that `tables` holds, and their number.
nlohmann::json memory_of(const std::filesystem::path& pin_dir);

/// Records established flows of the VM tier, spread over all backends, each as the datapath would.
/// They are idle for ten seconds, so that a sweep looks at both entries.
nlohmann::json fill_flows(const std::filesystem::path& pin_dir, std::uint32_t count);

}  // namespace flare::bench
