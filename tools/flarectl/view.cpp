#include "flarectl/view.h"

#include <arpa/inet.h>

#include <algorithm>

#include "base/clock.h"
#include "select.bpf.h"

namespace flare::ctl {

std::optional<Maps> open_maps(const Context& context) {
  auto maps = Maps::open(context.pin_dir, Access::kRead);
  if (maps) return *std::move(maps);
  fail(kMaps, maps.error().message());
  return std::nullopt;
}

Endpoint endpoint_of(const flare_addr& address, __be16 port) {
  return Endpoint{Address{address}, ntohs(port)};
}

std::string endpoint_text(const flare_addr& address, __be16 port) {
  return endpoint_of(address, port).text();
}

std::string protocol_text(std::uint32_t protocol) {
  if (protocol == 6) return "tcp";
  return protocol == 17 ? "udp" : std::to_string(protocol);
}

double fraction_of(std::uint64_t share) {
  return static_cast<double>(share) / static_cast<double>(FLARE_SHARE_ONE);
}

std::uint64_t now_ns() { return MonotonicClock().now_ns(); }

Heartbeat read_heartbeat(const Maps& maps, std::uint64_t now) {
  Heartbeat heartbeat;
  std::uint64_t beat = maps.heartbeat.get(0, &flare_heartbeat::beat_ns);
  if (auto settings = maps.settings.lookup(0)) heartbeat.bound_ns = settings->heartbeat_bound_ns;
  heartbeat.ever = beat != 0;
  heartbeat.age_ns = now > beat ? now - beat : 0;
  heartbeat.fresh = heartbeat.ever && heartbeat.age_ns <= heartbeat.bound_ns;
  return heartbeat;
}

std::uint64_t hour_used(const flare_admission& admission, std::uint64_t now) {
  bool this_hour = admission.hour >> HOUR_COUNT_BITS == now / NSEC_PER_HOUR;
  return this_hour ? admission.hour & HOUR_COUNT_MASK : 0;
}

std::uint64_t hour_ends_in_ns(std::uint64_t now) { return NSEC_PER_HOUR - now % NSEC_PER_HOUR; }

std::uint64_t spill_limit_per_hour(const flare_service& service) {
  if (service.spend_interval_ns == 0) return service.hour_budget;
  std::uint64_t burst = service.spend_depth_ns / service.spend_interval_ns;
  std::uint64_t by_rate = NSEC_PER_HOUR / service.spend_interval_ns + burst;
  return std::min<std::uint64_t>(service.hour_budget, by_rate);
}

double worst_cost_per_hour(const ServiceEntry& entry) {
  return static_cast<double>(spill_limit_per_hour(entry.service)) *
         static_cast<double>(entry.info.price_nanousd) / 1e9;
}

std::optional<ServiceEntry> find_service(const Maps& maps, const std::string& name, int* code) {
  auto entries = maps.service_entries();
  if (!entries) {
    *code = fail(kMaps, entries.error().message());
    return std::nullopt;
  }
  std::string known;
  for (const ServiceEntry& entry : *entries) {
    if (entry.name == name) return entry;
    if (!entry.name.empty()) known += (known.empty() ? "" : ", ") + entry.name;
  }
  *code = fail(kNotFound, "there is no service '" + name + "'; " +
                              (known.empty() ? "none is configured" : "there is " + known));
  return std::nullopt;
}

std::string shown_name(const ServiceEntry& entry) {
  return entry.name.empty() ? "(removed)" : entry.name;
}

std::map<std::uint32_t, std::string> service_names(const std::vector<ServiceEntry>& entries) {
  std::map<std::uint32_t, std::string> names;
  for (const ServiceEntry& entry : entries) names[entry.service.id] = shown_name(entry);
  return names;
}

Json traffic_json(const flare_traffic& traffic) {
  return {{"packets_in", traffic.packets_in},   {"bytes_in", traffic.bytes_in},
          {"packets_out", traffic.packets_out}, {"bytes_out", traffic.bytes_out},
          {"flows_new", traffic.flows_new},     {"flows_closed", traffic.flows_closed},
          {"resets_in", traffic.resets_in},     {"resets_out", traffic.resets_out},
          {"requests", traffic.requests},       {"answers", traffic.answers},
          {"abandoned", traffic.abandoned}};
}

}  // namespace flare::ctl
