#include "kernel/maps.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "kernel/privilege.h"

namespace flare {
namespace {

namespace fs = std::filesystem;

/// The layouts other than ours that are pinned there, as "v2, v3".
std::string other_layouts(const fs::path& pin_dir) {
  std::string found;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(pin_dir, failed)) {
    std::string name = entry.path().filename().string();
    if (name.size() < 2 || name[0] != 'v' || entry.path() == layout_dir(pin_dir)) continue;
    found += (found.empty() ? "" : ", ") + name;
  }
  return found;
}

/// Why the layout directory cannot be read, and what to do; nothing where it can.
std::optional<Error> why_unreachable(const fs::path& pin_dir) {
  fs::path dir = layout_dir(pin_dir);
  if (::access(dir.c_str(), R_OK | X_OK) == 0) return std::nullopt;
  int cause = errno;
  if (cause == EACCES) {
    return refused("cannot read " + dir.string(), cause, "root, or membership of group 'flare'");
  }
  if (cause != ENOENT) return Error::from_errno("cannot read " + dir.string(), cause);
  if (!is_on_bpffs(pin_dir)) {
    return Error(pin_dir.string() +
                 " is not on a BPF file system: mount -t bpf bpf /sys/fs/bpf, then start flared");
  }
  std::string others = other_layouts(pin_dir);
  if (!others.empty()) {
    return Error("the datapath under " + pin_dir.string() + " has layout " + others +
                 ", this program knows v" + std::to_string(FLARE_ABI_VERSION) +
                 ": use the flarectl that came with the running flared");
  }
  return Error("no datapath under " + pin_dir.string() +
               ": flared has not run on this machine since it started, or was detached "
               "(systemctl start flared; another pin directory: --pin-dir)");
}

/// Opens maps one after the other and keeps the first error, so that the list of maps stays a list.
class Opener {
 public:
  Opener(fs::path dir, Access access) : dir_(std::move(dir)), access_(access) {}

  template <typename Map>
  std::optional<Map> open(const char* name) {
    if (error_) return std::nullopt;
    auto map = open_as<Map>(dir_ / name);
    if (map) return *std::move(map);
    error_ = map.error();
    return std::nullopt;
  }
  const std::optional<Error>& error() const { return error_; }

 private:
  template <typename Map>
  Result<Map> open_as(const fs::path& path) {
    return Map::open(path, access_);
  }

  fs::path dir_;
  Access access_;
  std::optional<Error> error_;
};

/// The sizes that indexes rely on.
Result<void> check_sizes(const Maps& maps) {
  bool services_agree = maps.admission.size() >= maps.services_max() &&
                        maps.sock_loads.size() >= maps.services_max() &&
                        maps.service_counters.size() == maps.services_max() * maps.cpus() &&
                        maps.latencies.size() >= maps.services_max() * kHistogramsOfAService &&
                        maps.tables.handle().max_entries() >= maps.services_max() * 2;
  bool backends_agree = maps.backend_counters.size() == maps.backends_max() * maps.cpus() &&
                        maps.backend_loads.size() >= maps.backends_max() &&
                        maps.sock_backend_loads.size() >= maps.backends_max();
  bool slots_agree = maps.spill_prefixes.size() == FLARE_SPILL_PREFIXES;
  if (services_agree && backends_agree && slots_agree) return {};
  return Error(
      "the sizes of the pinned maps do not belong together: detach and start flared again "
      "(flarectl detach --yes)");
}

}  // namespace

Result<Maps> Maps::open(const fs::path& pin_dir, Access access) {
  if (auto why = why_unreachable(pin_dir)) return *why;
  Opener opener(layout_dir(pin_dir), access);
  auto settings = opener.open<decltype(Maps::settings)>("settings");
  auto heartbeat = opener.open<decltype(Maps::heartbeat)>("heartbeat");
  auto services = opener.open<decltype(Maps::services)>("services");
  auto backends = opener.open<decltype(Maps::backends)>("backends");
  auto tables = opener.open<TableMap>("tables");
  auto service_info = opener.open<decltype(Maps::service_info)>("service_info");
  auto spill_events = opener.open<decltype(Maps::spill_events)>("spill_events");
  auto interfaces = opener.open<decltype(Maps::interfaces)>("interfaces");
  auto flows = opener.open<decltype(Maps::flows)>("flows");
  auto embryos = opener.open<decltype(Maps::embryos)>("embryos");
  auto fragments = opener.open<decltype(Maps::fragments)>("fragments");
  auto vm_flows = opener.open<decltype(Maps::vm_flows)>("vm_flows");
  auto shifts = opener.open<decltype(Maps::shifts)>("shifts");
  auto chain_sources = opener.open<decltype(Maps::chain_sources)>("chain_sources");
  auto backend_loads = opener.open<decltype(Maps::backend_loads)>("backend_loads");
  auto sock_loads = opener.open<decltype(Maps::sock_loads)>("sock_loads");
  auto sock_backend_loads = opener.open<decltype(Maps::sock_backend_loads)>("sock_backend_loads");
  auto admission = opener.open<decltype(Maps::admission)>("admission");
  auto service_counters = opener.open<decltype(Maps::service_counters)>("service_counters");
  auto backend_counters = opener.open<decltype(Maps::backend_counters)>("backend_counters");
  auto reason_counters = opener.open<decltype(Maps::reason_counters)>("reason_counters");
  auto spill_prefixes = opener.open<decltype(Maps::spill_prefixes)>("spill_prefixes");
  auto turns = opener.open<decltype(Maps::turns)>("turns");
  auto latencies = opener.open<decltype(Maps::latencies)>("latencies");
  if (opener.error()) return *opener.error();
  Maps maps{*std::move(settings),
            *std::move(heartbeat),
            *std::move(services),
            *std::move(backends),
            *std::move(tables),
            *std::move(service_info),
            *std::move(spill_events),
            *std::move(interfaces),
            *std::move(flows),
            *std::move(embryos),
            *std::move(fragments),
            *std::move(vm_flows),
            *std::move(shifts),
            *std::move(chain_sources),
            *std::move(backend_loads),
            *std::move(sock_loads),
            *std::move(sock_backend_loads),
            *std::move(admission),
            *std::move(service_counters),
            *std::move(backend_counters),
            *std::move(reason_counters),
            *std::move(spill_prefixes),
            *std::move(turns),
            *std::move(latencies)};
  auto sound = check_sizes(maps);
  if (!sound) return sound.error();
  return maps;
}

flare_service_counters Maps::service_totals(std::uint32_t service_id) const {
  flare_service_counters sum{};
  for (std::uint32_t cpu = 0; cpu < cpus(); ++cpu) {
    service_counters.accumulate(cpu * services_max() + service_id, sum);
  }
  return sum;
}

flare_backend_counters Maps::backend_totals(std::uint32_t backend_id) const {
  flare_backend_counters sum{};
  for (std::uint32_t cpu = 0; cpu < cpus(); ++cpu) {
    backend_counters.accumulate(cpu * backends_max() + backend_id, sum);
  }
  return sum;
}

flare_reason_counters Maps::reason_totals() const {
  flare_reason_counters sum{};
  for (std::uint32_t cpu = 0; cpu < cpus(); ++cpu) reason_counters.accumulate(cpu, sum);
  return sum;
}

flare_admission Maps::admission_total(std::uint32_t service_id) const {
  flare_admission sum = admission.read(service_id);
  const flare_sock_load socks = sock_loads.read(service_id);
  for (std::uint32_t tier = 0; tier < FLARE_TIERS_COUNT; ++tier) {
    sum.in_flight[tier] += socks.in_flight[tier];
  }
  sum.active += socks.active;
  return sum;
}

flare_backend_load Maps::backend_load_total(std::uint32_t backend_id) const {
  flare_backend_load sum = backend_loads.read(backend_id);
  sock_backend_loads.accumulate(backend_id, sum);
  return sum;
}

/// The generation first: what ends from then on is not taken off counts that are 0.
Result<void> Maps::forget_sock_flows(std::span<const std::uint32_t> service_ids) const {
  std::vector<bool> forgotten(services_max());
  for (const std::uint32_t id : service_ids) {
    forgotten[id] = true;
    const flare_sock_load open = sock_loads.read(id);
    sock_loads.add(id, &flare_sock_load::generation, 1);
    sock_loads.visit(id, [](flare_sock_load& load) {
      for (__u64& tier : load.in_flight) std::atomic_ref(tier).store(0, std::memory_order_relaxed);
      std::atomic_ref(load.active).store(0, std::memory_order_relaxed);
    });
    admission.add(id, &flare_admission::vanished, open.in_flight[0] + open.in_flight[1]);
  }
  return backends.for_each([&](std::uint32_t id, const flare_backend& backend) {
    const bool used = backend.port != 0 && backend.service_id < forgotten.size();
    if (used && forgotten[backend.service_id]) sock_backend_loads.clear(id);
  });
}

flare_histogram Maps::latency(std::uint32_t service_id, flare_tier tier, flare_latency kind) const {
  const std::uint32_t of_tier = service_id * FLARE_TIERS_COUNT + std::uint32_t{tier};
  return latencies.read(of_tier * FLARE_LATENCIES_COUNT + std::uint32_t{kind});
}

void Maps::clear_service_counters(std::uint32_t service_id) const {
  for (std::uint32_t cpu = 0; cpu < cpus(); ++cpu) {
    service_counters.clear(cpu * services_max() + service_id);
  }
  for (std::uint32_t i = 0; i < kHistogramsOfAService; ++i) {
    latencies.clear(service_id * kHistogramsOfAService + i);
  }
}

void Maps::clear_backend_counters(std::uint32_t backend_id) const {
  for (std::uint32_t cpu = 0; cpu < cpus(); ++cpu) {
    backend_counters.clear(cpu * backends_max() + backend_id);
  }
  backend_loads.clear(backend_id);
  sock_backend_loads.clear(backend_id);
}

Result<std::vector<ServiceEntry>> Maps::service_entries() const {
  std::vector<ServiceEntry> entries;
  auto walked = services.for_each([&](const flare_service_key& key, const flare_service& service) {
    ServiceEntry entry{"", key, service, {}};
    if (auto info = service_info.lookup(service.id)) entry.info = *info;
    entry.info.name[FLARE_NAME_BYTES - 1] = '\0';
    entry.name = entry.info.name;
    entries.push_back(std::move(entry));
  });
  if (!walked) return walked.error();
  std::sort(entries.begin(), entries.end(),
            [](const ServiceEntry& a, const ServiceEntry& b) { return a.name < b.name; });
  return entries;
}

Result<std::vector<flare_spill_event>> Maps::spill_history() const {
  std::vector<flare_spill_event> history;
  auto walked = spill_events.for_each([&](std::uint32_t, const flare_spill_event& event) {
    if (event.number != 0) history.push_back(event);
  });
  if (!walked) return walked.error();
  std::sort(
      history.begin(), history.end(),
      [](const flare_spill_event& a, const flare_spill_event& b) { return a.number < b.number; });
  return history;
}

Result<void> Maps::add_spill_event(flare_spill_event event) const {
  auto history = spill_history();
  if (!history) return history.error();
  event.number = history->empty() ? 1 : history->back().number + 1;
  const auto slot = static_cast<std::uint32_t>((event.number - 1) % FLARE_SPILL_EVENTS);
  return spill_events.update(slot, event);
}

Result<std::vector<Maps::BackendEntry>> Maps::backend_entries() const {
  std::vector<BackendEntry> entries;
  auto walked = backends.for_each([&](std::uint32_t id, const flare_backend& backend) {
    if (backend.port != 0) entries.push_back({id, backend});
  });
  if (!walked) return walked.error();
  std::sort(entries.begin(), entries.end(),
            [](const BackendEntry& a, const BackendEntry& b) { return a.id < b.id; });
  return entries;
}

}  // namespace flare
