// The maps as the agent's own parts see them: what they write and read, without a kernel in sight.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/result.h"
#include "flare/abi.h"

namespace flare {

/// Requests of a tier whose time was taken, and what they took together.
struct RequestTimes {
  std::uint64_t count = 0;
  std::uint64_t sum_ns = 0;
};

/// A tier's table of a service; no slots take it away.
struct TableWrite {
  std::uint32_t service_id = 0;
  flare_tier tier = FLARE_TIER_VM;
  std::span<const std::uint32_t> slots;
};

/// One writer's view of the maps of include/flare/abi.h. Each write takes effect whole or not.
class Tables {
 public:
  using ServiceEntry = std::pair<flare_service_key, flare_service>;

  virtual ~Tables() = default;

  virtual std::uint32_t services_max() const = 0;
  virtual std::uint32_t backends_max() const = 0;

  virtual Result<std::vector<ServiceEntry>> services() const = 0;
  virtual Result<void> put_service(const flare_service_key& key, const flare_service& value) = 0;
  virtual Result<void> erase_service(const flare_service_key& key) = 0;

  virtual flare_service_info info(std::uint32_t service_id) const = 0;
  virtual Result<void> put_info(std::uint32_t service_id, const flare_service_info& info) = 0;

  virtual flare_backend backend(std::uint32_t backend_id) const = 0;
  virtual Result<void> put_backend(std::uint32_t backend_id, const flare_backend& backend) = 0;

  /// Publishes tables. Together they cost one wait for the datapath's readers, which each alone
  /// would cost. Where it fails, some may be published.
  virtual Result<void> put_tables(std::span<const TableWrite> tables) = 0;
  virtual flare_settings settings() const = 0;
  virtual Result<void> put_settings(const flare_settings& settings) = 0;

  /// Where flows of serverless instances come from.
  virtual Result<std::vector<flare_prefix>> chain_sources() const = 0;
  virtual Result<void> add_chain_source(const flare_prefix& prefix) = 0;
  virtual Result<void> erase_chain_source(const flare_prefix& prefix) = 0;

  /// Sums over CPUs.
  virtual flare_service_counters counters(std::uint32_t service_id) const = 0;
  virtual RequestTimes vm_times(std::uint32_t service_id) const = 0;
  virtual flare_admission admission(std::uint32_t service_id) const = 0;
  virtual flare_backend_load backend_load(std::uint32_t backend_id) const = 0;
  /// What the service says that it has in flight.
  virtual void set_reported(std::uint32_t service_id, std::uint64_t in_flight) = 0;
  /// Starts counts and limits of ids that get new owners at 0.
  virtual void clear_services(std::span<const std::uint32_t> service_ids) = 0;
  virtual void clear_backend(std::uint32_t backend_id) = 0;

  /// Adds an event to the ring, with the number after the newest.
  virtual Result<void> add_spill_event(const flare_spill_event& event) = 0;

  virtual std::uint64_t last_beat_ns() const = 0;
  virtual void beat(std::uint64_t now_ns) = 0;
};

}  // namespace flare
