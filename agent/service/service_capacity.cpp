// What a service's VM tier can do: as told, as the sum of its backends, or as learned.
#include <utility>

#include "service/service_set.h"

namespace flare {

/// What was learned before, by this agent or by an earlier one; else what is told.
std::uint64_t ServiceSet::capacity_at_start(const Managed& service,
                                            const flare_service_info& old) const {
  const VmCapacity now = told_to(service);
  const std::uint64_t told = believed_after(service.config, {}, now, 0);
  if (service.config.policy != FLARE_POLICY_CAP || service.identity.fresh) return told;
  const Managed* same = running(service.identity.id, service.config.name);
  if (same == nullptr) return old.capacity_mrps > 0 ? old.capacity_mrps : told;
  if (same->config.policy != FLARE_POLICY_CAP) return told;
  return believed_after(service.config, same->told, now, same->control.capacity_mrps());
}

VmCapacity ServiceSet::told_to(const Managed& service) const {
  std::vector<BackendUse> uses;
  for (std::size_t i = 0; i < service.config.vm.size(); ++i) {
    const flare_backend value = backend_value(service, FLARE_TIER_VM, i);
    const auto phase = verdict_of(service, FLARE_TIER_VM, service.config.vm[i].endpoint).phase;
    if (value.state != FLARE_BACKEND_ACTIVE || value.weight == 0) {
      uses.push_back(BackendUse::kNone);
    } else {
      uses.push_back(phase == HealthPhase::kTrial ? BackendUse::kTrial : BackendUse::kFull);
    }
  }
  return vm_capacity(service.config, uses, service.told);
}

/// Before each publishing, as backends come, go, are drained and get ill.
void ServiceSet::settle_capacity(Managed& service) const {
  const VmCapacity before = std::exchange(service.told, told_to(service));
  if (service.told == before) return;
  service.control.believe(
      believed_after(service.config, before, service.told, service.control.capacity_mrps()));
  service.info.capacity_mrps = service.control.capacity_mrps();
}

/// Workers go on from what was learned, by this agent or by an earlier one, unless they are told.
void ServiceSet::adopt_learned(Managed& service, const flare_service_info& old,
                               std::uint64_t now_ns) const {
  const bool same = running(service.identity.id, service.config.name) != nullptr;
  if (!learns_workers(service.config)) {
    service.control.forget_workers();
  } else if (!same && !service.identity.fresh) {
    // Workers that were told have no base, and are not gone on from.
    service.control.resume_workers(service.value.workers, old.base_ns);
  }
  if (service.config.counting != FLARE_COUNTING_REPORTED) {
    service.reported = {};
    service.report_is_late = false;
  } else {
    if (!same && !service.identity.fresh) {
      service.reported.resume(old.reported_ns, tables_.admission(service.identity.id).reported);
    }
    service.reported.expect(now_ns);
  }
}

}  // namespace flare
