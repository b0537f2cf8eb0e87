// Which id each service and backend has. Ids are kept in the maps, so a reload or a restart finds
// them there and no flow sees a change. Pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "flare/abi.h"
#include "model/config.h"
#include "service/tables.h"

namespace flare {

struct BackendIdentity {
  std::uint32_t id = 0;
  std::uint32_t generation = 0;
  bool fresh = false;  ///< the id had another owner, or none
};

struct ServiceIdentity {
  std::uint32_t id = 0;
  bool fresh = false;
  /// By tier, as ServiceConfig::backends().
  std::array<std::vector<BackendIdentity>, FLARE_TIERS_COUNT> backends;
};

/// What the maps hold before a change.
struct Known {
  std::vector<Tables::ServiceEntry> services;
  std::vector<flare_service_info> infos;  ///< by service id
  std::vector<flare_backend> backends;    ///< by backend id
};

Result<Known> read_known(const Tables& tables);

flare_service_key key_of(const ServiceConfig& service);
bool same_key(const flare_service_key& a, const flare_service_key& b);

struct ServiceKeyLess {
  bool operator()(const flare_service_key& a, const flare_service_key& b) const;
};

/// The services that stand in the maps, by key and by id. `known` outlives it.
class KnownServices {
 public:
  explicit KnownServices(const Known& known);
  /// What stands under `key`; nullptr: nothing.
  const flare_service* at(const flare_service_key& key) const;
  /// What service `id` has, under whatever frontend.
  const flare_service* of(std::uint32_t id) const;

 private:
  std::map<flare_service_key, const flare_service*, ServiceKeyLess> by_key_;
  std::unordered_map<std::uint32_t, const flare_service*> by_id_;
};

/// An id for each service and backend of `config`, in its order. A service keeps the id of its
/// name, else of its frontend; a backend the id of its service, tier and address. A new one gets
/// the id that was given out least often, with a generation above the last owner's. Fails where ids
/// run out.
Result<std::vector<ServiceIdentity>> assign_identities(const Config& config, const Known& known);

/// The same for one service that stands in the maps, with the backends of `standing`, and shall
/// have those of `next`.
Result<ServiceIdentity> reassign_backends(const ServiceIdentity& identity,
                                          const ServiceConfig& standing, const ServiceConfig& next,
                                          const Tables& tables);

}  // namespace flare
