// The backends of a service, in both tiers.
#include <algorithm>
#include <map>

#include "discovery/check_words.h"

namespace flare {
namespace {

void check_count(const Draft& draft, std::size_t i, flare_tier tier, Problems& problems) {
  const auto& list = draft.config.services[i].backends(tier);
  const TierPlaces& places = draft.services[i].tier[tier];
  if (list.size() > kTierBackendsMax) {
    problems.refuse(places.backends[kTierBackendsMax], service_key(i, list_of(tier)),
                    std::to_string(list.size()) + " backends",
                    "at most " + std::to_string(kTierBackendsMax));
  }
  const bool weightless =
      std::all_of(list.begin(), list.end(), [](const BackendConfig& b) { return b.weight == 0; });
  if (!list.empty() && weightless) {
    problems.refuse(places.list, service_key(i, list_of(tier)), "weight 0 for every backend",
                    "a weight above 0 for at least one");
  }
}

void check_family(const Draft& draft, std::size_t i, flare_tier tier, Problems& problems) {
  const ServiceConfig& service = draft.config.services[i];
  if (service.frontend.port == 0) return;
  const bool v4 = service.frontend.address.is_v4();
  const auto& list = service.backends(tier);
  for (std::size_t b = 0; b < list.size(); ++b) {
    const Endpoint& endpoint = list[b].endpoint;
    if (endpoint.port == 0 || endpoint.address.is_v4() == v4) continue;
    problems.refuse(
        draft.services[i].tier[tier].backends[b], service_key(i, list_of(tier), b, "endpoint"),
        endpoint.text() + " of the other family",
        std::string(v4 ? "IPv4" : "IPv6") + ", as the frontend " + service.frontend.text());
  }
}

/// Why a flow sent to `endpoint` would come back to us; empty where it would not. A serverless
/// backend is another host. One of the VM tier may be this host, but no address that we translate.
std::string own_address(const Draft& draft, const ServiceConfig& service, flare_tier tier,
                        const Endpoint& endpoint) {
  const NatConfig& nat = draft.config.nat;
  const bool nat_port = endpoint.port >= nat.port_min && endpoint.port <= nat.port_max;
  for (const ServiceConfig& other : draft.config.services) {
    if (tier == FLARE_TIER_VM) {
      if (other.frontend == endpoint && other.protocol == service.protocol) {
        return "the frontend of " + named(other);
      }
      if (nat_port && contains(snat_of(other), endpoint.address)) {
        return "a SNAT address and port of " + named(other);
      }
    } else if (other.frontend.port != 0 && other.frontend.address == endpoint.address) {
      return "whose address is the frontend of " + named(other);
    } else if (contains(other.snat, endpoint.address)) {
      return "whose address is a SNAT address of " + named(other);
    }
  }
  return "";
}

void check_addresses(const Draft& draft, std::size_t i, Problems& problems) {
  const ServiceConfig& service = draft.config.services[i];
  std::map<Endpoint, flare_tier> seen;
  for (const flare_tier tier : kTiers) {
    const auto& list = service.backends(tier);
    for (std::size_t b = 0; b < list.size(); ++b) {
      const Endpoint& endpoint = list[b].endpoint;
      if (endpoint.port == 0) continue;
      const Place place = draft.services[i].tier[tier].backends[b];
      const std::string key = service_key(i, list_of(tier), b, "endpoint");
      const auto [first, fresh] = seen.emplace(endpoint, tier);
      if (!fresh) {
        problems.refuse(
            place, key,
            endpoint.text() + (first->second == tier ? " a second time" : ", which is in vm too"),
            "each backend once");
        continue;
      }
      const std::string own = own_address(draft, service, tier, endpoint);
      if (own.empty()) continue;
      problems.refuse(place, key, endpoint.text() + ", " + own,
                      tier == FLARE_TIER_VM ? "an address and port that Flare does not translate"
                                            : "an address of another host");
    }
  }
}

}  // namespace

void check_tiers(const Draft& draft, std::size_t i, Problems& problems) {
  for (const flare_tier tier : kTiers) {
    check_count(draft, i, tier, problems);
    check_family(draft, i, tier, problems);
  }
  check_addresses(draft, i, problems);
}

}  // namespace flare
