// From configuration to the values of the maps. Pure functions.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "base/siphash.h"
#include "control/mover.h"
#include "flare/abi.h"
#include "model/config.h"
#include "service/identity.h"

namespace flare {

/// Addresses of this host.
using HostAddresses = std::set<Address>;

/// How long a flow that says nothing may be alive.
std::uint64_t flow_life_ns(const Config& config);

flare_settings compose_settings(const Config& config, const HashKey& hash_key,
                                const HostAddresses& host);

/// What a policy, or a hand, wants of a service now.
struct Steering {
  std::uint64_t share = 0;
  bool enforced = false;      ///< false: only observed
  double bucket_rps = 0;      ///< of the VM tier's bucket; 0: no limit
  std::uint32_t workers = 0;  ///< told or learned; 0: unknown
  std::uint32_t cap = 0;      ///< 0: none
  MoveRates moves;
  std::uint16_t number = 0;  ///< flare_service.steering
};

/// The value of a service with epoch 0.
flare_service compose_service(const ServiceConfig& service, std::uint32_t id,
                              const HashKey& hash_key, const Steering& steering);

/// Whose a backend is, and what is known of it beside its configuration.
struct BackendFacts {
  flare_tier tier = FLARE_TIER_SERVERLESS;
  std::uint32_t service_id = 0;
  std::uint32_t generation = 0;
  bool drained = false;                               ///< by hand
  bool local = false;                                 ///< its address is this host's own
  flare_backend_state health = FLARE_BACKEND_ACTIVE;  ///< the least that holds, by its health
};

flare_backend compose_backend(const BackendConfig& backend, const BackendFacts& facts);

/// What a backend leaves in its id, for the flows that it still has: they go on.
flare_backend compose_gone(const flare_backend& last);

/// The entry of a service with nothing sampled yet.
flare_service_info compose_info(const ServiceConfig& service);

/// What a service that is no longer configured leaves for the flows it still has: nothing new is
/// spilled, known flows go on. Where the VM tier is translated, new flows need its table taken
/// away.
flare_service compose_retired(const flare_service& last);

/// The table of a tier of a service; empty where no backend takes new flows. Its size goes by all
/// backends, whatever their state, and by what it was (`slots`; 0: there was none). `parts` says
/// how much of its weight each backend gets, of kFullWeight; empty: all do. It changes no table's
/// size, so that other backends keep their slots. flare_backend.weight stays whole: selection
/// `least` chooses among those that the table names.
std::vector<std::uint32_t> compose_table(const std::vector<flare_backend>& backends,
                                         const std::vector<BackendIdentity>& identities,
                                         const HashKey& hash_key,
                                         const std::vector<std::uint32_t>& parts = {},
                                         std::uint32_t slots = 0);

}  // namespace flare
