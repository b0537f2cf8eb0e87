#include "discovery/own_addresses.h"

#include <cstdint>

#include "discovery/problem.h"

namespace flare {
namespace {

/// The index under `key`; SIZE_MAX where there is none, which is behind every service.
template <typename Key>
std::size_t first_of(const std::map<Key, std::size_t>& index, const Key& key) {
  const auto found = index.find(key);
  return found == index.end() ? SIZE_MAX : found->second;
}

}  // namespace

std::string named(const ServiceConfig& service) { return "service " + in_quotes(service.name); }

std::vector<Address> snat_of(const ServiceConfig& service) {
  if (!service.snat.empty()) return service.snat;
  if (service.frontend.port == 0 || service.placement == FLARE_PLACEMENT_SENDER) return {};
  return {service.frontend.address};
}

OwnAddresses::OwnAddresses(const Config& config) : config_(config) {
  for (std::size_t i = 0; i < config.services.size(); ++i) {
    const ServiceConfig& service = config.services[i];
    frontends_.emplace(std::pair(service.frontend, service.protocol), i);
    if (service.frontend.port != 0) frontend_addresses_.emplace(service.frontend.address, i);
    for (const Address& address : snat_of(service)) snat_.emplace(address, i);
    for (const Address& address : service.snat) given_snat_.emplace(address, i);
  }
}

std::string OwnAddresses::why(const ServiceConfig& service, flare_tier tier,
                              const Endpoint& endpoint) const {
  const auto& services = config_.services;
  if (tier == FLARE_TIER_VM) {
    const NatConfig& nat = config_.nat;
    const bool nat_port = endpoint.port >= nat.port_min && endpoint.port <= nat.port_max;
    const std::size_t frontend = first_of(frontends_, std::pair(endpoint, service.protocol));
    const std::size_t snat = nat_port ? first_of(snat_, endpoint.address) : SIZE_MAX;
    if (frontend == SIZE_MAX && snat == SIZE_MAX) return "";
    return frontend <= snat ? "the frontend of " + named(services[frontend])
                            : "a SNAT address and port of " + named(services[snat]);
  }
  const std::size_t frontend = first_of(frontend_addresses_, endpoint.address);
  const std::size_t snat = first_of(given_snat_, endpoint.address);
  if (frontend == SIZE_MAX && snat == SIZE_MAX) return "";
  return frontend <= snat ? "whose address is the frontend of " + named(services[frontend])
                          : "whose address is a SNAT address of " + named(services[snat]);
}

}  // namespace flare
