// Maps in memory, with failures on request and a look at everything that was written. The agent can
// be made to die at any write.
#pragma once

#include <cstring>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "service/tables.h"

namespace flare::test {

/// Thrown out of a write: nothing that the agent still wanted to do is done.
struct AgentKilled {};

class FakeTables final : public Tables {
 public:
  FakeTables() : FakeTables(4, 8) {}
  FakeTables(std::uint32_t services, std::uint32_t backends)
      : loads_(backends),
        infos_(services),
        backends_(backends),
        counters_(services),
        admission_(services),
        vm_times_(services) {}

  std::uint32_t services_max() const override { return static_cast<std::uint32_t>(infos_.size()); }
  std::uint32_t backends_max() const override {
    return static_cast<std::uint32_t>(backends_.size());
  }

  Result<std::vector<ServiceEntry>> services() const override {
    std::vector<ServiceEntry> entries;
    for (const auto& [key, value] : services_) entries.emplace_back(key_from(key), value);
    return entries;
  }
  Result<void> put_service(const flare_service_key& key, const flare_service& value) override {
    step();
    if (all_writes_fail || (failing_write > 0 && --failing_write == 0)) {
      return Error("the write failed");
    }
    services_[bytes(key)] = value;
    ++service_writes;
    log_.push_back("service");
    return {};
  }
  Result<void> erase_service(const flare_service_key& key) override {
    step();
    services_.erase(bytes(key));
    return {};
  }
  flare_service_info info(std::uint32_t id) const override { return infos_[id]; }
  Result<void> put_info(std::uint32_t id, const flare_service_info& info) override {
    step();
    infos_[id] = info;
    return {};
  }
  flare_backend backend(std::uint32_t id) const override { return backends_[id]; }
  Result<void> put_backend(std::uint32_t id, const flare_backend& backend) override {
    step();
    if (backend_writes_fail) return Error("the write failed");
    backends_[id] = backend;
    return {};
  }
  Result<void> put_tables(std::span<const TableWrite> tables) override {
    if (!tables.empty()) ++table_batches;
    for (const auto& [id, tier, slots] : tables) {
      step();
      tables_[{id, tier}].assign(slots.begin(), slots.end());
      ++table_writes;
      log_.push_back(std::string(slots.empty() ? "withdraw " : "table ") +
                     (tier == 0 ? "vm" : "sl"));
    }
    return {};
  }
  flare_settings settings() const override { return settings_; }
  Result<void> put_settings(const flare_settings& settings) override {
    step();
    settings_ = settings;
    return {};
  }
  Result<std::vector<flare_prefix>> chain_sources() const override {
    std::vector<flare_prefix> prefixes;
    for (const std::string& text : sources_) {
      std::memcpy(&prefixes.emplace_back(), text.data(), sizeof(flare_prefix));
    }
    return prefixes;
  }
  Result<void> add_chain_source(const flare_prefix& prefix) override {
    step();
    sources_.insert(bytes(prefix));
    log_.push_back("add source");
    return {};
  }
  Result<void> erase_chain_source(const flare_prefix& prefix) override {
    step();
    sources_.erase(bytes(prefix));
    log_.push_back("erase source");
    return {};
  }
  flare_backend_load backend_load(std::uint32_t id) const override { return loads_[id]; }
  flare_service_counters counters(std::uint32_t id) const override { return counters_[id]; }
  RequestTimes vm_times(std::uint32_t id) const override { return vm_times_[id]; }
  flare_admission admission(std::uint32_t id) const override { return admission_[id]; }
  void set_reported(std::uint32_t id, std::uint64_t in_flight) override {
    admission_[id].reported = in_flight;
  }
  void clear_services(std::span<const std::uint32_t> ids) override {
    for (const std::uint32_t id : ids) {
      step();
      counters_[id] = {};
      vm_times_[id] = {};
      admission_[id] = {};
    }
  }
  void clear_backend(std::uint32_t id) override {
    step();
    cleared_backends.insert(id);
  }
  Result<void> add_spill_event(const flare_spill_event& event) override {
    events_.push_back(event);
    return {};
  }
  std::uint64_t last_beat_ns() const override { return beat_ns_; }
  void beat(std::uint64_t now_ns) override { beat_ns_ = now_ns; }

  /// The one service, where there is exactly one.
  const flare_service& only_service() const { return services_.begin()->second; }
  std::size_t service_count() const { return services_.size(); }
  const std::vector<std::uint32_t>& table(std::uint32_t id,
                                          flare_tier tier = FLARE_TIER_SERVERLESS) {
    return tables_[{id, tier}];
  }
  std::set<std::uint32_t> ids_in_table(std::uint32_t id, flare_tier tier = FLARE_TIER_SERVERLESS) {
    return {table(id, tier).begin(), table(id, tier).end()};
  }

  std::size_t steps = 0;          ///< writes of any map
  std::size_t killing_write = 0;  ///< the one before which the agent dies, from 1; 0: none
  bool all_writes_fail = false;   ///< of services
  bool backend_writes_fail = false;
  std::size_t failing_write = 0;  ///< the one that fails, counted from 1; 0: none
  std::size_t service_writes = 0;
  std::size_t table_writes = 0;
  std::size_t table_batches = 0;
  std::set<std::uint32_t> cleared_backends;
  std::vector<std::string> log_;  ///< services, tables and sources as they were written
  flare_settings settings_{};
  std::set<std::string> sources_;  ///< bytes of flare_prefix
  std::vector<flare_backend_load> loads_;
  std::vector<flare_service_info> infos_;
  std::vector<flare_backend> backends_;
  std::vector<flare_service_counters> counters_;
  std::vector<flare_admission> admission_;
  std::vector<RequestTimes> vm_times_;
  std::uint64_t beat_ns_ = 0;
  std::vector<flare_spill_event> events_;

 private:
  void step() {
    if (++steps == killing_write) throw AgentKilled{};
  }
  template <typename Key>
  static std::string bytes(const Key& key) {
    std::string text(sizeof(key), '\0');
    std::memcpy(text.data(), &key, sizeof(key));
    return text;
  }
  static flare_service_key key_from(const std::string& text) {
    flare_service_key key{};
    std::memcpy(&key, text.data(), sizeof(key));
    return key;
  }

  std::map<std::string, flare_service> services_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::vector<std::uint32_t>> tables_;
};

}  // namespace flare::test
