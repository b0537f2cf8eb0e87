// The backends of a service, in both tiers.
#include <algorithm>
#include <cstdint>
#include <map>

#include "discovery/check_words.h"
#include "model/words.h"

namespace flare {
namespace {

void check_count(const Draft& draft, std::size_t i, flare_tier tier, Problems& problems) {
  const auto& list = draft.config.services[i].backends(tier);
  const TierPlaces& places = draft.services[i].tier[tier];
  if (list.size() > kTierBackendsMax) {
    problems.refuse(places.backends[kTierBackendsMax], service_key(i, tier_word(tier)),
                    std::to_string(list.size()) + " backends",
                    "at most " + std::to_string(kTierBackendsMax));
  }
  const bool weightless =
      std::all_of(list.begin(), list.end(), [](const BackendConfig& b) { return b.weight == 0; });
  if (!list.empty() && weightless) {
    problems.refuse(places.list, service_key(i, tier_word(tier)), "weight 0 for every backend",
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
        draft.services[i].tier[tier].backends[b], service_key(i, tier_word(tier), b, "endpoint"),
        endpoint.text() + " of the other family",
        std::string(v4 ? "IPv4" : "IPv6") + ", as the frontend " + service.frontend.text());
  }
}

void check_addresses(const Draft& draft, std::size_t i, const OwnAddresses& addresses,
                     Problems& problems) {
  const ServiceConfig& service = draft.config.services[i];
  std::map<Endpoint, flare_tier> seen;
  for (const flare_tier tier : kTiers) {
    const auto& list = service.backends(tier);
    for (std::size_t b = 0; b < list.size(); ++b) {
      const Endpoint& endpoint = list[b].endpoint;
      if (endpoint.port == 0) continue;
      const Place place = draft.services[i].tier[tier].backends[b];
      const std::string key = service_key(i, tier_word(tier), b, "endpoint");
      const auto [first, fresh] = seen.emplace(endpoint, tier);
      if (!fresh) {
        problems.refuse(
            place, key,
            endpoint.text() + (first->second == tier ? " a second time" : ", which is in vm too"),
            "each backend once");
        continue;
      }
      const std::string own = addresses.why(service, tier, endpoint);
      if (own.empty()) continue;
      problems.refuse(place, key, endpoint.text() + ", " + own,
                      tier == FLARE_TIER_VM ? "an address and port that Flare does not translate"
                                            : "an address of another host");
    }
  }
}

}  // namespace

void check_tiers(const Draft& draft, std::size_t i, const OwnAddresses& own, Problems& problems) {
  for (const flare_tier tier : kTiers) {
    check_count(draft, i, tier, problems);
    check_family(draft, i, tier, problems);
  }
  check_addresses(draft, i, own, problems);
}

}  // namespace flare
