// Tables over the pinned maps.
#pragma once

#include "kernel/maps.h"
#include "service/tables.h"

namespace flare {

class KernelTables final : public Tables {
 public:
  /// `maps` were opened for writing and outlive this.
  explicit KernelTables(const Maps& maps) : maps_(maps) {}

  std::uint32_t services_max() const override { return maps_.services_max(); }
  std::uint32_t backends_max() const override { return maps_.backends_max(); }
  Result<std::vector<ServiceEntry>> services() const override;
  Result<void> put_service(const flare_service_key& key, const flare_service& value) override;
  Result<void> erase_service(const flare_service_key& key) override;
  flare_service_info info(std::uint32_t service_id) const override;
  Result<void> put_info(std::uint32_t service_id, const flare_service_info& info) override;
  flare_backend backend(std::uint32_t backend_id) const override;
  Result<void> put_backend(std::uint32_t backend_id, const flare_backend& backend) override;
  Result<void> put_tables(std::span<const TableWrite> tables) override;
  flare_settings settings() const override;
  Result<void> put_settings(const flare_settings& settings) override;
  Result<std::vector<flare_prefix>> chain_sources() const override;
  Result<void> add_chain_source(const flare_prefix& prefix) override;
  Result<void> erase_chain_source(const flare_prefix& prefix) override;
  flare_service_counters counters(std::uint32_t service_id) const override;
  RequestTimes vm_times(std::uint32_t service_id) const override;
  flare_admission admission(std::uint32_t service_id) const override;
  flare_backend_load backend_load(std::uint32_t backend_id) const override;
  void set_reported(std::uint32_t service_id, std::uint64_t in_flight) override;
  void clear_services(std::span<const std::uint32_t> service_ids) override;
  void clear_backend(std::uint32_t backend_id) override;
  Result<void> add_spill_event(const flare_spill_event& event) override;
  std::uint64_t last_beat_ns() const override;
  void beat(std::uint64_t now_ns) override;

 private:
  const Maps& maps_;
};

}  // namespace flare
