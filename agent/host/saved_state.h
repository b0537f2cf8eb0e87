// What an operator or a control plane set and a restart must not forget.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "base/result.h"
#include "model/address.h"
#include "model/config.h"

namespace flare {

/// By service name. A name that the configuration no longer has is kept until the file is written.
struct SavedState {
  std::map<std::string, double> pinned_shares;        ///< 0..1
  std::map<std::string, std::set<Endpoint>> drained;  ///< backends of either tier
  std::map<std::string, ToldService> told;            ///< by a control plane
  bool operator==(const SavedState&) const = default;
};

/// Reads the JSON file `path`; an empty state where there is none.
Result<SavedState> load_state(const std::filesystem::path& path);
Result<void> save_state(const std::filesystem::path& path, const SavedState& state);

}  // namespace flare
