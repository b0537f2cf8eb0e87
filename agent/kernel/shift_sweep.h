// Connections with a frame of ours in them, collected when they have ended.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "kernel/maps.h"

namespace flare {

/// Removes the entries of `shifts` whose connection has ended (RST, or FIN of both sides) and was
/// silent for as long as a closing flow lives, or is silent for as long as an established one does.
/// Returns how many. `maps` must be open for writing.
Result<std::uint64_t> sweep_shifts(const Maps& maps, std::uint64_t now_ns);

}  // namespace flare
