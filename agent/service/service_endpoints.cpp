// What control planes tell of a service's backends, obeyed at once and for that service alone.
#include <algorithm>
#include <utility>

#include "model/words.h"
#include "service/service_set.h"

namespace flare {
namespace {

/// `told` as it is without anything of `endpoint`, which the configuration may have.
ToldService without(ToldService told, const Endpoint& endpoint) {
  told.added.erase(endpoint);
  told.removed.insert(endpoint);
  return told;
}

bool says_more(const ServiceEndpoints& service) {
  return service.generation > 0 ||
         std::any_of(service.backends.begin(), service.backends.end(), [](const EndpointView& one) {
           return one.told || one.backend.workers > 0 || one.backend.capacity_rps > 0;
         });
}

}  // namespace

std::size_t ServiceSet::index_of(const Managed& service) const {
  return static_cast<std::size_t>(&service - services_.data());
}

const ToldService& ServiceSet::told_of(const std::string& service) const {
  static const ToldService nothing;
  const auto found = state_.told.find(service);
  return found == state_.told.end() ? nothing : found->second;
}

void ServiceSet::keep_told(const std::string& service, ToldService told) {
  if (told == ToldService{}) {
    state_.told.erase(service);
  } else {
    state_.told[service] = std::move(told);
  }
}

ServiceEndpoints ServiceSet::endpoints_of(const Managed& service) const {
  const ToldService& told = told_of(service.config.name);
  const Steering steering = steering_of(service);
  ServiceEndpoints all;
  all.service = service.config.name;
  all.generation = told.generation;
  all.workers = steering.workers;
  all.cap = steering.cap;
  all.capacity_rps = static_cast<double>(service.control.capacity_mrps()) / 1000;
  for (const flare_tier tier : kTiers) {
    const auto& list = service.config.backends(tier);
    for (std::size_t i = 0; i < list.size(); ++i) {
      const flare_backend value = backend_value(service, tier, i);
      all.backends.push_back({list[i], tier, told.added.contains(list[i].endpoint),
                              static_cast<flare_backend_state>(value.state)});
    }
  }
  return all;
}

/// Without its backends.
ServiceEndpoints ServiceSet::figures_of(const Managed& service) const {
  ServiceEndpoints figures = endpoints_of(service);
  figures.backends.clear();
  return figures;
}

/// Of its backends `endpoint` alone.
ServiceEndpoints ServiceSet::part_of(const Managed& service, const Endpoint& endpoint) const {
  ServiceEndpoints part = endpoints_of(service);
  std::erase_if(part.backends,
                [&endpoint](const EndpointView& one) { return one.backend.endpoint != endpoint; });
  return part;
}

Result<std::vector<ServiceEndpoints>> ServiceSet::endpoints(std::string_view name) const {
  std::vector<ServiceEndpoints> all;
  if (!name.empty()) {
    auto service = find(name);
    if (!service) return service.error();
    all.push_back(endpoints_of(**service));
    return all;
  }
  for (const Managed& service : services_) {
    ServiceEndpoints one = endpoints_of(service);
    if (says_more(one)) all.push_back(std::move(one));
  }
  return all;
}

Result<EndpointChange> ServiceSet::add_backend(std::string_view name, const Endpoint& endpoint,
                                               const ToldBackend& backend,
                                               std::optional<std::uint64_t> generation,
                                               std::uint64_t now_ns) {
  auto found = find(name);
  if (!found) return found.error();
  Managed& service = **found;
  const ToldService& told = told_of(service.config.name);
  ToldService next = told;
  next.added[endpoint] = backend;
  next.removed.erase(endpoint);
  EndpointChange change{next != told, part_of(service, endpoint), {}};
  auto accepted = next_generation(service.config.name, told.generation, generation, change.changed);
  if (!accepted) return accepted.error();
  for (const EndpointView& one : change.before.backends) {
    if (one.tier == backend.tier) continue;
    return Error(endpoint.text() + " of service '" + service.config.name + "' is in tier " +
                 std::string(tier_word(one.tier)) + "; accepted: backend-remove before that");
  }
  const OwnAddresses own(file_);
  const ServiceConfig& file = file_.services[index_of(service)];
  auto may = may_add(with_told(file, without(told, endpoint), own).service, endpoint, backend, own);
  if (!may) return may.error();
  next.generation = *accepted;
  auto obeyed = obey(service, std::move(next), own, now_ns);
  if (!obeyed) return obeyed.error();
  change.after = part_of(service, endpoint);
  return change;
}

Result<EndpointChange> ServiceSet::remove_backend(std::string_view name, const Endpoint& endpoint,
                                                  std::optional<std::uint64_t> generation,
                                                  std::uint64_t now_ns) {
  auto found = find(name);
  if (!found) return found.error();
  Managed& service = **found;
  const ToldService& told = told_of(service.config.name);
  ToldService next = pruned(without(told, endpoint), file_.services[index_of(service)]);
  EndpointChange change{next != told, part_of(service, endpoint), {}};
  auto accepted = next_generation(service.config.name, told.generation, generation, change.changed);
  if (!accepted) return accepted.error();
  next.generation = *accepted;
  // One that comes back is as good as new.
  auto drained = state_.drained;
  const auto set = drained.find(service.config.name);
  if (set != drained.end() && set->second.erase(endpoint) > 0 && set->second.empty()) {
    drained.erase(set);
  }
  state_.drained.swap(drained);
  const OwnAddresses own(file_);
  auto obeyed = obey(service, std::move(next), own, now_ns);
  if (!obeyed) {
    state_.drained.swap(drained);
    return obeyed.error();
  }
  change.after = part_of(service, endpoint);
  return change;
}

Result<EndpointChange> ServiceSet::set_workers(std::string_view name, const WorkersChange& asked,
                                               std::optional<std::uint64_t> generation,
                                               std::uint64_t now_ns) {
  auto found = find(name);
  if (!found) return found.error();
  Managed& service = **found;
  const ToldService& told = told_of(service.config.name);
  ToldService next = told;
  if (asked.workers) next.workers = *asked.workers;
  if (asked.capacity_rps) next.capacity_rps = *asked.capacity_rps;
  EndpointChange change{next != told, figures_of(service), {}};
  auto accepted = next_generation(service.config.name, told.generation, generation, change.changed);
  if (!accepted) return accepted.error();
  const OwnAddresses own(file_);
  auto may = may_set(service.config, asked,
                     with_told(file_.services[index_of(service)], next, own).service);
  if (!may) return may.error();
  next.generation = *accepted;
  auto obeyed = obey(service, std::move(next), own, now_ns);
  if (!obeyed) return obeyed.error();
  change.after = figures_of(service);
  return change;
}

/// Keeps what is told, and brings the service to it. Where that fails all is as it was.
Result<void> ServiceSet::obey(Managed& service, ToldService told, const OwnAddresses& own,
                              std::uint64_t now_ns) {
  const std::string name = service.config.name;
  const ToldService before = told_of(name);
  if (told == before) return {};
  ToldService same = before;
  same.generation = told.generation;
  const bool only_generation = same == told;
  ServiceConfig next = with_told(file_.services[index_of(service)], told, own).service;
  keep_told(name, std::move(told));
  if (only_generation) return {};
  auto replaced = replace(service, next, now_ns);
  if (!replaced) keep_told(name, before);
  return replaced;
}

/// Brings one service to other backends and figures, as bring() does for all, and leaves the others
/// alone.
Result<void> ServiceSet::replace(Managed& service, const ServiceConfig& config,
                                 std::uint64_t now_ns) {
  auto identity = reassign_backends(service.identity, service.config, config, tables_);
  if (!identity) return identity.error();
  Managed before = service;
  ServiceConfig& in_force = config_.services[index_of(service)];
  in_force = service.config = config;
  service.identity = *std::move(identity);
  for (const flare_tier tier : kTiers) {
    const auto& list = config.backends(tier);
    std::erase_if(service.health[tier], [&list](const auto& verdict) {
      return std::none_of(list.begin(), list.end(), [&verdict](const BackendConfig& backend) {
        return backend.endpoint == verdict.first;
      });
    });
  }
  if (!learns_workers(config)) service.control.forget_workers();
  auto put = put_replaced(service, before.identity, now_ns);
  if (put) return {};
  const ServiceIdentity failed = service.identity;
  before.value = service.value;
  before.in_maps = service.in_maps;
  service = std::move(before);
  in_force = service.config;
  // Some of it may be published by now.
  service.tables = {};
  service.is_put = false;
  auto undone = put_replaced(service, failed, now_ns);
  if (undone) return Error(put.error().message() + "; all is as it was");
  return Error(put.error().message() + "; and going back failed: " + undone.error().message());
}

/// Writes the service, then empties the ids of `before` that it does not have any more.
Result<void> ServiceSet::put_replaced(Managed& service, const ServiceIdentity& before,
                                      std::uint64_t now_ns) {
  auto put = put_settings(config_, now_ns);
  if (!put) return put.error();
  put = put_service(service);
  if (!put) return put.error();
  std::set<std::uint32_t> kept;
  for (const auto& backends : service.identity.backends) {
    for (const BackendIdentity& backend : backends) kept.insert(backend.id);
  }
  for (const auto& backends : before.backends) {
    for (const BackendIdentity& backend : backends) {
      if (kept.contains(backend.id)) continue;
      const flare_backend last = tables_.backend(backend.id);
      if (last.service_id != service.identity.id) continue;
      auto cleared = tables_.put_backend(backend.id, compose_gone(last));
      if (!cleared) return cleared.error();
    }
  }
  return {};
}

}  // namespace flare
