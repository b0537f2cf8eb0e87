#include "service/kernel_tables.h"

#include "kernel/latency.h"
#include "kernel/turn_sweep.h"

namespace flare {

Result<std::vector<Tables::ServiceEntry>> KernelTables::services() const {
  std::vector<ServiceEntry> entries;
  auto walked =
      maps_.services.for_each([&entries](const flare_service_key& key, const flare_service& value) {
        entries.emplace_back(key, value);
      });
  if (!walked) return walked.error();
  return entries;
}

Result<void> KernelTables::put_service(const flare_service_key& key, const flare_service& value) {
  return maps_.services.update(key, value);
}

Result<void> KernelTables::erase_service(const flare_service_key& key) {
  auto erased = maps_.services.erase(key);
  if (!erased) return erased.error();
  return {};
}

flare_service_info KernelTables::info(std::uint32_t service_id) const {
  return maps_.service_info.lookup(service_id).value_or(flare_service_info{});
}

Result<void> KernelTables::put_info(std::uint32_t service_id, const flare_service_info& info) {
  return maps_.service_info.update(service_id, info);
}

flare_backend KernelTables::backend(std::uint32_t backend_id) const {
  return maps_.backends.lookup(backend_id).value_or(flare_backend{});
}

Result<void> KernelTables::put_backend(std::uint32_t backend_id, const flare_backend& backend) {
  return maps_.backends.update(backend_id, backend);
}

Result<void> KernelTables::put_tables(std::span<const TableWrite> tables) {
  std::vector<Selection> filled;
  for (const auto& [service_id, tier, slots] : tables) {
    if (!slots.empty()) filled.push_back({service_id, tier, slots});
  }
  auto published = maps_.tables.publish(filled);
  if (!published) return published.error();
  for (const auto& [service_id, tier, slots] : tables) {
    if (!slots.empty()) continue;
    auto withdrawn = maps_.tables.withdraw(service_id, tier);
    if (!withdrawn) return withdrawn.error();
  }
  return {};
}

flare_settings KernelTables::settings() const {
  return maps_.settings.lookup(0).value_or(flare_settings{});
}

Result<void> KernelTables::put_settings(const flare_settings& settings) {
  return maps_.settings.update(0, settings);
}

Result<std::vector<flare_prefix>> KernelTables::chain_sources() const {
  std::vector<flare_prefix> prefixes;
  auto walked = maps_.chain_sources.for_each(
      [&prefixes](const flare_prefix& prefix, std::uint32_t) { prefixes.push_back(prefix); });
  if (!walked) return walked.error();
  return prefixes;
}

Result<void> KernelTables::add_chain_source(const flare_prefix& prefix) {
  return maps_.chain_sources.update(prefix, 1);
}

Result<void> KernelTables::erase_chain_source(const flare_prefix& prefix) {
  auto erased = maps_.chain_sources.erase(prefix);
  if (!erased) return erased.error();
  return {};
}

flare_service_counters KernelTables::counters(std::uint32_t service_id) const {
  return maps_.service_totals(service_id);
}

RequestTimes KernelTables::vm_times(std::uint32_t service_id) const {
  const flare_histogram times = maps_.latency(service_id, FLARE_TIER_VM, FLARE_LATENCY_REQUEST);
  return {latency_count(times), times.sum_ns};
}

flare_admission KernelTables::admission(std::uint32_t service_id) const {
  return maps_.admission_total(service_id);
}

flare_backend_load KernelTables::backend_load(std::uint32_t backend_id) const {
  return maps_.backend_load_total(backend_id);
}

void KernelTables::set_reported(std::uint32_t service_id, std::uint64_t in_flight) {
  maps_.admission.set(service_id, &flare_admission::reported, in_flight);
}

void KernelTables::clear_services(std::span<const std::uint32_t> service_ids) {
  if (service_ids.empty()) return;
  for (const std::uint32_t id : service_ids) maps_.clear_service_counters(id);
  static_cast<void>(maps_.forget_sock_flows(service_ids));
  for (const std::uint32_t id : service_ids) maps_.admission.clear(id);
  forget_turns(maps_, service_ids);
}

void KernelTables::clear_backend(std::uint32_t backend_id) {
  maps_.clear_backend_counters(backend_id);
}

Result<void> KernelTables::add_spill_event(const flare_spill_event& event) {
  return maps_.add_spill_event(event);
}

std::uint64_t KernelTables::last_beat_ns() const {
  return maps_.heartbeat.get(0, &flare_heartbeat::beat_ns);
}

void KernelTables::beat(std::uint64_t now_ns) {
  maps_.heartbeat.set(0, &flare_heartbeat::beat_ns, now_ns);
}

}  // namespace flare
