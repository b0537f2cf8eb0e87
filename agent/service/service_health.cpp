// What becomes of the health of a service's backends: their states and their parts of the tables.
#include "service/service_set.h"

namespace flare {
namespace {

BackendHealth::Start start_of(const BackendIdentity& identity, const BackendVerdict& verdict) {
  if (verdict.phase == HealthPhase::kDown) return BackendHealth::Start::kDown;
  return identity.fresh ? BackendHealth::Start::kUnknown : BackendHealth::Start::kUp;
}

bool is_watched(const HealthConfig& health) {
  return health.passive || health.check != HealthConfig::Check::kNone;
}

}  // namespace

BackendVerdict ServiceSet::verdict_of(const Managed& service, flare_tier tier,
                                      const Endpoint& backend) {
  const auto found = service.health[tier].find(backend);
  return found == service.health[tier].end() ? BackendVerdict{} : found->second;
}

/// Backends that an earlier agent found dead stay down until checks pass: a restart sends no flow
/// to them. Ejections are not gone on from: their signals come again.
void ServiceSet::resume_health(Managed& service, const Known& known) const {
  if (service.config.health.check == HealthConfig::Check::kNone) return;
  for (const flare_tier tier : kTiers) {
    const auto& list = service.config.backends(tier);
    for (std::size_t i = 0; i < list.size(); ++i) {
      const BackendIdentity& identity = service.identity.backends[tier][i];
      const bool was_down = known.backends[identity.id].state == FLARE_BACKEND_DOWN;
      if (identity.fresh || !was_down || list[i].state == FLARE_BACKEND_DOWN) continue;
      BackendVerdict verdict;
      verdict.phase = HealthPhase::kDown;
      verdict.state = FLARE_BACKEND_DOWN;
      service.health[tier][list[i].endpoint] = verdict;
    }
  }
}

std::vector<WatchedTier> ServiceSet::watched_tiers() const {
  std::vector<WatchedTier> tiers;
  for (const Managed& service : services_) {
    const ServiceConfig& config = service.config;
    for (const flare_tier tier : kTiers) {
      const auto& list = config.backends(tier);
      if (list.empty() || !is_watched(config.health)) continue;
      WatchedTier watched{config.name,     service.identity.id, tier,
                          config.protocol, config.health,       {}};
      for (std::size_t i = 0; i < list.size(); ++i) {
        const BackendIdentity& identity = service.identity.backends[tier][i];
        const bool takes_flows = list[i].state == FLARE_BACKEND_ACTIVE && list[i].weight > 0 &&
                                 !is_drained(config.name, list[i].endpoint);
        const auto start = start_of(identity, verdict_of(service, tier, list[i].endpoint));
        watched.members.push_back({{list[i].endpoint, identity.id, identity.generation,
                                    list[i].weight, takes_flows, start},
                                   list[i].state != FLARE_BACKEND_DOWN});
      }
      tiers.push_back(std::move(watched));
    }
  }
  return tiers;
}

Result<void> ServiceSet::set_health(const std::string& name, flare_tier tier,
                                    const Verdicts& verdicts) {
  auto service = find(name);
  if (!service) return service.error();
  if ((*service)->is_put && (*service)->health[tier] == verdicts) return {};
  (*service)->health[tier] = verdicts;
  return put_service(**service);
}

}  // namespace flare
