// The selection tables: an array of maps, each inner map swapped whole.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "flare/abi.h"
#include "kernel/map_handle.h"

namespace flare {

/// The selection table of each service's tier. A packet sees the old table or the new one.
/// The table of a service's tier.
struct Selection {
  std::uint32_t service_id = 0;
  flare_tier tier = FLARE_TIER_VM;
  std::span<const std::uint32_t> slots;  ///< backend ids
};

class TableMap {
 public:
  static Result<TableMap> adopt(MapHandle handle);
  static Result<TableMap> open(const std::filesystem::path& pin, Access access);

  /// Publishes `slots` (backend ids, 1 to FLARE_TABLE_SLOTS_MAX of them) as the table of `tier`.
  /// The old one stays in force when this fails. Needs CAP_BPF.
  Result<void> publish(std::uint32_t service_id, flare_tier tier,
                       std::span<const std::uint32_t> slots) const;
  /// Publishes many at once. The kernel waits for its readers after each change of this map, which
  /// takes milliseconds: here once for some hundred tables. Where it fails, some may be in force.
  Result<void> publish(std::span<const Selection> tables) const;
  /// Takes the table away: the tier has no usable backend. Nothing happens where there was none.
  Result<void> withdraw(std::uint32_t service_id, flare_tier tier) const;
  /// The slots in force; empty where there is no table. Needs CAP_SYS_ADMIN, as the kernel gives an
  /// inner map only by its id.
  Result<std::vector<std::uint32_t>> read(std::uint32_t service_id, flare_tier tier) const;

  const MapHandle& handle() const { return handle_; }

 private:
  explicit TableMap(MapHandle handle) : handle_(std::move(handle)) {}

  MapHandle handle_;
};

}  // namespace flare
