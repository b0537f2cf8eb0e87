// Requests in flight, set right: what the datapath cannot see the end of, and what a race has cost.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernel/maps.h"

namespace flare {

struct TurnReport {
  std::uint64_t open = 0;      ///< requests in flight
  std::uint64_t vanished = 0;  ///< ended here: their connection was silent for too long
  struct Correction {
    std::uint32_t service_id = 0;
    flare_tier tier = FLARE_TIER_VM;
    std::int64_t change = 0;  ///< of in_flight
  };
  std::vector<Correction> corrections;
};

/// Walks `turns` once: ends the open requests of connections that have been silent for
/// `silence_ns`, and moves each in-flight count into the bounds that the walk leaves possible.
/// `maps` must be open for writing. Changes are atomic against the datapath's.
TurnReport sweep_turns(const Maps& maps, std::uint64_t now_ns, std::uint64_t silence_ns);

/// Frees the slots of service ids that are given to somebody else, in one walk.
void forget_turns(const Maps& maps, std::span<const std::uint32_t> service_ids);

}  // namespace flare
