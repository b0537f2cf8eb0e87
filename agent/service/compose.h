// From configuration to the values of the maps. Pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "base/siphash.h"
#include "control/mover.h"
#include "flare/abi.h"
#include "model/config.h"
#include "service/identity.h"

namespace flare {

flare_settings compose_settings(const Config& config, const HashKey& hash_key);

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

flare_backend compose_backend(const BackendConfig& backend, std::uint32_t service_id,
                              std::uint32_t generation, bool drained);

/// The entry of a service with nothing sampled yet.
flare_service_info compose_info(const ServiceConfig& service);

/// What a service that is no longer configured leaves for the flows it still has: nothing new is
/// spilled, known flows go on.
flare_service compose_retired(const flare_service& last);

/// The serverless table of a service; empty where no backend takes new flows.
std::vector<std::uint32_t> compose_table(const std::vector<flare_backend>& backends,
                                         const std::vector<BackendIdentity>& identities,
                                         const HashKey& hash_key);

}  // namespace flare
