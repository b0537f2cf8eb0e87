#include "service/identity.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>

namespace flare {
namespace {

constexpr flare_addr kNoAddress{};

bool is_used(const flare_backend& backend) {
  return std::memcmp(&backend.addr, &kNoAddress, sizeof(kNoAddress)) != 0;
}

std::string_view name_of(const flare_service_info& info) {
  return {info.name, ::strnlen(info.name, sizeof(info.name))};
}

/// Ids that services have in the maps, by name or else by frontend.
class ServiceIds {
 public:
  explicit ServiceIds(const Known& known) : services_(known), ids_(known.infos.size()) {
    for (std::uint32_t id = 0; id < known.infos.size(); ++id) {
      by_name_.emplace(name_of(known.infos[id]), id);
    }
  }

  std::optional<std::uint32_t> find(const ServiceConfig& service,
                                    const std::set<std::uint32_t>& taken) const {
    const auto [first, last] = by_name_.equal_range(service.name);
    for (auto named = first; named != last; ++named) {
      if (!taken.contains(named->second)) return named->second;
    }
    const flare_service* value = services_.at(key_of(service));
    if (value != nullptr && value->id < ids_ && !taken.contains(value->id)) return value->id;
    return std::nullopt;
  }

 private:
  KnownServices services_;
  std::size_t ids_;
  std::multimap<std::string_view, std::uint32_t> by_name_;  ///< those of one name by id
};

using BackendKey = std::tuple<std::uint32_t, std::uint32_t, Endpoint>;  ///< service, tier

class BackendIds {
 public:
  explicit BackendIds(const std::vector<flare_backend>& backends) : backends_(backends) {
    for (std::uint32_t id = 1; id < backends.size(); ++id) {
      const flare_backend& backend = backends[id];
      if (is_used(backend)) {
        const Endpoint endpoint{Address{backend.addr}, ntohs(backend.port)};
        owned_.emplace(BackendKey{backend.service_id, backend.tier, endpoint}, id);
      } else {
        free_.emplace(backend.generation, id);
      }
    }
  }

  std::optional<BackendIdentity> find(std::uint32_t service_id, flare_tier tier,
                                      const Endpoint& endpoint) const {
    const auto found = owned_.find(BackendKey{service_id, tier, endpoint});
    if (found == owned_.end()) return std::nullopt;
    return BackendIdentity{found->second, backends_[found->second].generation, false};
  }

  std::optional<BackendIdentity> take() {
    if (free_.empty()) return std::nullopt;
    const auto [generation, id] = *free_.begin();
    free_.erase(free_.begin());
    return BackendIdentity{id, generation + 1, true};
  }

 private:
  const std::vector<flare_backend>& backends_;
  std::map<BackendKey, std::uint32_t> owned_;
  std::set<std::pair<std::uint32_t, std::uint32_t>> free_;  ///< by generation, then id
};

Result<void> assign_services(const Config& config, const Known& known,
                             std::vector<ServiceIdentity>& identities) {
  std::set<std::uint32_t> taken;
  std::set<std::uint32_t> busy;
  for (const auto& [key, value] : known.services) busy.insert(value.id);
  for (std::uint32_t id = 0; id < known.infos.size(); ++id) {
    if (!name_of(known.infos[id]).empty()) busy.insert(id);
  }
  std::set<std::string_view> names;
  for (const ServiceConfig& service : config.services) names.insert(service.name);
  const ServiceIds ids(known);
  std::vector<bool> done(config.services.size());
  for (std::size_t i = 0; i < config.services.size(); ++i) {
    const auto id = ids.find(config.services[i], taken);
    if (!id) continue;
    // A service that took over another's frontend must not take its id as well: the other, which
    // is still configured, has a better claim to it.
    const std::string_view owner = name_of(known.infos[*id]);
    if (owner != config.services[i].name && names.contains(owner)) continue;
    identities[i].id = *id;
    taken.insert(*id);
    done[i] = true;
  }
  std::uint32_t next = 0;
  for (std::size_t i = 0; i < config.services.size(); ++i) {
    if (done[i]) continue;
    while (next < known.infos.size() && (busy.contains(next) || taken.contains(next))) ++next;
    if (next == known.infos.size()) {
      return Error("no service id is free for '" + config.services[i].name +
                   "': " + std::to_string(known.infos.size()) +
                   " are in use, some perhaps by removed services whose flows have not ended");
    }
    identities[i].id = next++;
    identities[i].fresh = true;
  }
  return {};
}

Error no_backend_id(const Endpoint& endpoint) {
  return Error("no backend id is free for " + endpoint.text() + "; raise limits.backends");
}

/// The id that BackendIds::take() would give, without all that it must know for many.
std::optional<BackendIdentity> least_given(const Tables& tables,
                                           const std::set<std::uint32_t>& taken) {
  std::optional<BackendIdentity> least;
  for (std::uint32_t id = 1; id < tables.backends_max(); ++id) {
    const flare_backend backend = tables.backend(id);
    const std::uint32_t generation = backend.generation + 1;
    if (is_used(backend) || taken.contains(id)) continue;
    if (!least || generation < least->generation) least = BackendIdentity{id, generation, true};
  }
  return least;
}

}  // namespace

Result<Known> read_known(const Tables& tables) {
  Known known;
  auto services = tables.services();
  if (!services) return services.error();
  known.services = *std::move(services);
  for (std::uint32_t id = 0; id < tables.services_max(); ++id) {
    known.infos.push_back(tables.info(id));
  }
  for (std::uint32_t id = 0; id < tables.backends_max(); ++id) {
    known.backends.push_back(tables.backend(id));
  }
  return known;
}

flare_service_key key_of(const ServiceConfig& service) {
  flare_service_key key{};
  key.addr = service.frontend.address.raw;
  key.port = htons(service.frontend.port);
  key.proto = static_cast<__u8>(service.protocol);
  return key;
}

bool same_key(const flare_service_key& a, const flare_service_key& b) {
  return std::memcmp(&a, &b, sizeof(a)) == 0;
}

bool ServiceKeyLess::operator()(const flare_service_key& a, const flare_service_key& b) const {
  return std::memcmp(&a, &b, sizeof(a)) < 0;
}

KnownServices::KnownServices(const Known& known) {
  for (const auto& [key, value] : known.services) {
    by_key_.emplace(key, &value);
    by_id_.emplace(value.id, &value);
  }
}

const flare_service* KnownServices::at(const flare_service_key& key) const {
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? nullptr : found->second;
}

const flare_service* KnownServices::of(std::uint32_t id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

Result<std::vector<ServiceIdentity>> assign_identities(const Config& config, const Known& known) {
  std::vector<ServiceIdentity> identities(config.services.size());
  auto services = assign_services(config, known, identities);
  if (!services) return services.error();

  BackendIds ids(known.backends);
  for (std::size_t i = 0; i < config.services.size(); ++i) {
    for (const flare_tier tier : kTiers) {
      for (const BackendConfig& backend : config.services[i].backends(tier)) {
        auto identity = ids.find(identities[i].id, tier, backend.endpoint);
        if (!identity) identity = ids.take();
        if (!identity) {
          return no_backend_id(backend.endpoint);
        }
        identities[i].backends[tier].push_back(*identity);
      }
    }
  }
  return identities;
}

Result<ServiceIdentity> reassign_backends(const ServiceIdentity& identity,
                                          const ServiceConfig& standing, const ServiceConfig& next,
                                          const Tables& tables) {
  std::map<std::pair<flare_tier, Endpoint>, BackendIdentity> known;
  for (const flare_tier tier : kTiers) {
    const auto& list = standing.backends(tier);
    for (std::size_t i = 0; i < list.size(); ++i) {
      known[{tier, list[i].endpoint}] = identity.backends[tier][i];
    }
  }
  ServiceIdentity result{identity.id, false, {}};
  std::set<std::uint32_t> taken;
  for (const flare_tier tier : kTiers) {
    for (const BackendConfig& backend : next.backends(tier)) {
      const auto found = known.find({tier, backend.endpoint});
      const auto one =
          found != known.end()
              ? std::optional(BackendIdentity{found->second.id, found->second.generation, false})
              : least_given(tables, taken);
      if (!one) return no_backend_id(backend.endpoint);
      taken.insert(one->id);
      result.backends[tier].push_back(*one);
    }
  }
  return result;
}

}  // namespace flare
