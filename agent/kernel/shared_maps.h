// Programs that are loaded beside the datapath and use its maps.
#pragma once

#include <filesystem>

#include "base/result.h"

struct bpf_object;

namespace flare {

/// Gives an opened object the maps that are pinned in `dir` instead of maps of its own. Those that
/// are not among map_names() stay its own.
Result<void> adopt_maps(bpf_object* object, const std::filesystem::path& dir);

}  // namespace flare
