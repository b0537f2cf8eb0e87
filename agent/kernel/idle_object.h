// What the programs that reset idle connections have in common: an object of their own that works
// on the datapath's maps, and from which silence on a service's connections are idle.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/result.h"
#include "kernel/typed_map.h"

struct bpf_map;

namespace flare {

/// What one walk met.
struct ResetReport {
  std::uint64_t seen = 0;   ///< connections to services whose idle ones may be reset
  std::uint64_t reset = 0;  ///< of them
  std::chrono::nanoseconds took{0};
};

/// By service id, in nanoseconds; 0: none of its connections is reset.
using IdleBounds = TypedMap<std::uint32_t, std::uint64_t>;

/// The map of that name of a loaded object, by a descriptor of its own.
Result<IdleBounds> adopt_idle_bounds(const bpf_map* map);

}  // namespace flare
