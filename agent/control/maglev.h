// Weighted Maglev tables (Eisenbud et al., NSDI 2016): from weights to slots. Pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/siphash.h"
#include "model/address.h"

namespace flare {

/// A backend that may get slots.
struct MaglevBackend {
  std::uint32_t id = 0;      ///< what its slots hold
  Endpoint endpoint;         ///< what its permutation is made of, so that all nodes agree
  std::uint32_t weight = 0;  ///< relative; 0 gets no slot
};

/// Slots for a set: a prime of at least 100 a backend, large enough that each weight is exact to
/// 1/1024 of the whole and that no positive weight comes to less than one slot, up to
/// FLARE_TABLE_SLOTS_MAX; 1 for a single backend, 0 where none has weight.
///
/// `current` is the size of the set's table so far, 0 where it has none. It stays while it gives
/// each backend 25 slots, as nearly every choice changes with the size: so a table grows at the
/// fourfold of what it was made for, and never shrinks.
std::uint32_t maglev_slots(std::span<const MaglevBackend> backends, std::uint32_t current = 0);

/// The table of `slots` backend ids (a prime, or 1). Each backend has its weight's part of them to
/// within one slot, and a positive weight at least one. The order of `backends` does not matter.
/// Taking a backend away moves little but its own slots. Empty where none has weight.
std::vector<std::uint32_t> maglev_table(std::span<const MaglevBackend> backends, const HashKey& key,
                                        std::uint32_t slots);

}  // namespace flare
