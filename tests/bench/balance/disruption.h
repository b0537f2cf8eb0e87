// What a change of the set of backends moves of the choices by hash, by the agent's own tables and
// the datapath's own way from a hash to a slot. Open flows have a record, and move nowhere.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bound.h"

namespace flare::bench {

struct Disruption {
  std::string change;
  std::uint32_t backends = 0;  ///< before
  std::uint32_t slots_before = 0, slots_after = 0;
  double ideal = 0;   ///< part of the choices that must move
  double moved = 0;   ///< part that does
  double others = 0;  ///< part that moves from one to another of those that stay
  std::vector<Bound> bounds;
};

std::vector<Disruption> measure_disruption(std::uint64_t seed);

}  // namespace flare::bench
