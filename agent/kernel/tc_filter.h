// Our filters on the clsact queueing discipline: for kernels before 6.6, which have no tcx links.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "kernel/links.h"

namespace flare {

/// Runs `program_fd` at `hook` (tc hooks only) as the filter with our handle and priority, making
/// the clsact qdisc where there is none. An earlier one is replaced atomically. True: replaced.
Result<bool> place_filter(std::uint32_t ifindex, HookPoint hook, int program_fd);

/// The program id of our filter, or nothing.
std::optional<std::uint32_t> find_filter(std::uint32_t ifindex, HookPoint hook);

/// Removes our filter alone; the qdisc stays, as others may use it. False: there was none.
Result<bool> remove_filter(std::uint32_t ifindex, HookPoint hook);

}  // namespace flare
