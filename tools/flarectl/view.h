// What the maps hold, in the words that flarectl prints.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "flarectl/context.h"
#include "kernel/maps.h"
#include "model/address.h"

namespace flare::ctl {

/// The pinned maps for reading, or a message on stderr and nothing.
std::optional<Maps> open_maps(const Context& context);

Endpoint endpoint_of(const flare_addr& address, __be16 port);
std::string endpoint_text(const flare_addr& address, __be16 port);
std::string protocol_text(std::uint32_t protocol);

double fraction_of(std::uint64_t share);

/// The state of the agent as the datapath judges it.
struct Heartbeat {
  bool ever = false;
  bool fresh = false;
  std::uint64_t age_ns = 0;
  std::uint64_t bound_ns = 0;
};
Heartbeat read_heartbeat(const Maps& maps, std::uint64_t now_ns);

std::uint64_t now_ns();

/// Spilled in the present hour of the monotonic clock.
std::uint64_t hour_used(const flare_admission& admission, std::uint64_t now_ns);
/// When that hour ends.
std::uint64_t hour_ends_in_ns(std::uint64_t now_ns);

/// What a service can spill in an hour at most, by its hourly budget and its rate limit.
std::uint64_t spill_limit_per_hour(const flare_service& service);
/// What that costs, in US dollars.
double worst_cost_per_hour(const ServiceEntry& entry);

/// One service by name, or a message on stderr and nothing. Sets `*code` to what to exit with.
std::optional<ServiceEntry> find_service(const Maps& maps, const std::string& name, int* code);

/// A service that left the configuration has no name, while its flows go on to their end.
std::string shown_name(const ServiceEntry& entry);

/// Names of services by id.
std::map<std::uint32_t, std::string> service_names(const std::vector<ServiceEntry>& entries);

Json traffic_json(const flare_traffic& traffic);

}  // namespace flare::ctl
