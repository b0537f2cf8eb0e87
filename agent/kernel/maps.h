// All maps of the datapath, opened from their pins: with the agent alive or dead.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "flare/abi.h"
#include "kernel/mapped_array.h"
#include "kernel/pin_dir.h"
#include "kernel/table_map.h"
#include "kernel/typed_map.h"
#include "model/words.h"

namespace flare {

/// Entries of `latencies` that a service has.
constexpr std::uint32_t kHistogramsOfAService =
    std::uint32_t{FLARE_TIERS_COUNT} * std::uint32_t{FLARE_LATENCIES_COUNT};

/// A service as flarectl and the agent meet it in the maps.
struct ServiceEntry {
  std::string name;
  flare_service_key key{};
  flare_service service{};
  flare_service_info info{};
};

/// The maps of one pin directory. Sizes were checked when they were opened and belong together.
struct Maps {
  /// Opens every pinned map. The error says what to do: become root, mount bpffs, start the agent,
  /// use the flarectl of the other layout.
  static Result<Maps> open(const std::filesystem::path& pin_dir, Access access);

  TypedMap<std::uint32_t, flare_settings> settings;  ///< [0]
  MappedArray<flare_heartbeat> heartbeat;            ///< [0]
  TypedMap<flare_service_key, flare_service> services;
  TypedMap<std::uint32_t, flare_backend> backends;  ///< by backend id
  TableMap tables;
  TypedMap<std::uint32_t, flare_service_info> service_info;  ///< by service id
  TypedMap<std::uint32_t, flare_spill_event> spill_events;   ///< a ring
  TypedMap<std::uint32_t, flare_interface> interfaces;       ///< by ifindex
  TypedMap<flare_flow_key, flare_flow> flows;
  TypedMap<flare_flow_key, flare_flow> embryos;
  TypedMap<flare_fragment_key, flare_fragment> fragments;
  TypedMap<std::uint32_t, flare_vm_flow> vm_flows;
  TypedMap<flare_flow_key, flare_shift> shifts;          ///< by what the client sends
  TypedMap<flare_prefix, std::uint32_t> chain_sources;   ///< what it holds says nothing
  MappedArray<flare_backend_load> backend_loads;         ///< by backend id
  MappedArray<flare_sock_load> sock_loads;               ///< by service id
  MappedArray<flare_backend_load> sock_backend_loads;    ///< by backend id
  MappedArray<flare_admission> admission;                ///< by service id
  MappedArray<flare_service_counters> service_counters;  ///< [cpu * services_max() + id]
  MappedArray<flare_backend_counters> backend_counters;  ///< [cpu * backends_max() + id]
  MappedArray<flare_reason_counters> reason_counters;    ///< [cpu]
  MappedArray<flare_spill_prefix> spill_prefixes;        ///< by prefix_slot()
  MappedArray<flare_turn_set> turns;                     ///< by hash of the connection
  MappedArray<flare_histogram> latencies;  ///< [(id * 2 + tier) * 2 + FLARE_LATENCY_*]

  std::uint32_t services_max() const { return service_info.max_entries(); }
  std::uint32_t backends_max() const { return backends.max_entries(); }
  std::uint32_t cpus() const { return reason_counters.size(); }

  /// Sums over all CPUs. They only grow until the map is made anew.
  flare_service_counters service_totals(std::uint32_t service_id) const;
  flare_backend_counters backend_totals(std::uint32_t backend_id) const;
  flare_reason_counters reason_totals() const;
  /// The entry of `admission`, with what connect() hooks have open added to what packets have.
  flare_admission admission_total(std::uint32_t service_id) const;
  /// The same of `backend_loads`.
  flare_backend_load backend_load_total(std::uint32_t backend_id) const;
  /// Begins what connect() hooks have open of these services anew, at 0: their flows that are open
  /// end uncounted, and their requests count as vanished. One walk over all backends.
  Result<void> forget_sock_flows(std::span<const std::uint32_t> service_ids) const;
  /// What a tier's requests, or handshakes, took.
  flare_histogram latency(std::uint32_t service_id, flare_tier tier, flare_latency kind) const;
  /// Starts the counts of a service or backend id that is given to somebody else at 0.
  void clear_service_counters(std::uint32_t service_id) const;
  void clear_backend_counters(std::uint32_t backend_id) const;

  /// Every configured service, by name.
  Result<std::vector<ServiceEntry>> service_entries() const;
  /// The starts and ends of spills that are remembered, oldest first.
  Result<std::vector<flare_spill_event>> spill_history() const;
  /// Adds one, with the number after the newest, over the oldest where the ring is full.
  Result<void> add_spill_event(flare_spill_event event) const;
  /// Every backend in use with its id, by id.
  struct BackendEntry {
    std::uint32_t id = 0;
    flare_backend backend{};
  };
  Result<std::vector<BackendEntry>> backend_entries() const;
};

}  // namespace flare
