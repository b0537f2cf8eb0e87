#include "service/endpoints.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/words.h"

namespace flare {
namespace {

BackendConfig to_config(const Endpoint& endpoint, const ToldBackend& told,
                        flare_backend_state state) {
  return {endpoint, told.weight, state, told.workers, told.capacity_rps};
}

bool has_backend(const ServiceConfig& service, flare_tier tier, const Endpoint& endpoint) {
  const auto& list = service.backends(tier);
  return std::any_of(list.begin(), list.end(), [&endpoint](const BackendConfig& backend) {
    return backend.endpoint == endpoint;
  });
}

/// Whether there is a place for it, whatever it can do.
Result<void> may_stand(const ServiceConfig& service, flare_tier tier, const Endpoint& endpoint,
                       const OwnAddresses& own) {
  const auto refused = [&](const std::string& found, const std::string& accepted) {
    return Error(named(service) + ": found " + found + "; accepted: " + accepted);
  };
  const std::string shown = endpoint.text();
  if (tier == FLARE_TIER_VM && service.placement == FLARE_PLACEMENT_RECEIVER) {
    return refused(
        "the VM backend " + shown + " with placement receiver, whose VM tier is this host",
        "tier serverless, or workers-set");
  }
  for (const flare_tier other : kTiers) {
    if (!has_backend(service, other, endpoint)) continue;
    return refused(shown + ", which is in tier " + std::string(tier_word(other)),
                   "backend-remove before it is added to tier " + std::string(tier_word(tier)));
  }
  if (endpoint.address.is_v4() != service.frontend.address.is_v4()) {
    return refused(shown + " of the other family",
                   "one as the frontend " + service.frontend.text());
  }
  if (const std::string why = own.why(service, tier, endpoint); !why.empty()) {
    return refused(shown + ", " + why, tier == FLARE_TIER_VM
                                           ? "an address and port that Flare does not translate"
                                           : "an address of another host");
  }
  if (service.backends(tier).size() >= kTierBackendsMax) {
    return refused("one more backend",
                   "at most " + std::to_string(kTierBackendsMax) + " in a tier");
  }
  return {};
}

/// One of the two figures that a service or its backends may tell.
struct Figure {
  const char* name;
  bool of_service;
  bool of_others;  ///< of the VM backends that there are
  bool of_this;
};

/// Figures of one kind are told by the service, by each VM backend, or by nobody.
Result<void> may_tell(const ServiceConfig& service, const Figure& figure) {
  const std::string name(figure.name);
  if (figure.of_service && figure.of_this) {
    return Error(named(service) + ": found " + name +
                 " of a backend, and the service has its own; " + "accepted: the backend without " +
                 name);
  }
  if (service.vm.empty() || figure.of_service) return {};
  if (figure.of_others && !figure.of_this) {
    return Error(named(service) + ": found no " + name +
                 ", which its other VM backends have; accepted: the backend with " + name);
  }
  if (!figure.of_others && figure.of_this) {
    return Error(named(service) + ": found " + name +
                 ", which its other VM backends do not have; accepted: the backend without " +
                 name);
  }
  return {};
}

/// What the policy cannot do without, and what the protocol cannot have.
Result<void> may_be(const ServiceConfig& service, bool workers, bool capacity) {
  if (workers && service.protocol == Protocol::kUdp) {
    return Error(named(service) +
                 ": found workers for UDP, whose requests are not counted; accepted: no workers");
  }
  if (!capacity && service.policy == FLARE_POLICY_FORMULA) {
    return Error(named(service) +
                 ": found policy formula without capacity_rps; accepted: capacity_rps");
  }
  if (!workers && service.policy == FLARE_POLICY_CAP && service.counting != FLARE_COUNTING_AUTO) {
    return Error(named(service) + ": found counting " +
                 std::string(counting_word(service.counting)) +
                 " with policy cap and without workers; accepted: workers");
  }
  return {};
}

bool any_tells(const std::vector<BackendConfig>& backends, double (*figure)(const BackendConfig&)) {
  return std::any_of(backends.begin(), backends.end(),
                     [figure](const BackendConfig& one) { return figure(one) > 0; });
}

double workers_of(const BackendConfig& backend) { return backend.workers; }
double capacity_of(const BackendConfig& backend) { return backend.capacity_rps; }

/// Of the usable backends together; those that do not tell it do as much as the others.
std::optional<double> sum_of(const ServiceConfig& service, std::span<const BackendUse> uses,
                             double (*figure)(const BackendConfig&)) {
  for (const BackendUse use : {BackendUse::kFull, BackendUse::kTrial}) {
    double sum = 0;
    double count = 0;
    double telling = 0;
    for (std::size_t i = 0; i < service.vm.size(); ++i) {
      if (uses[i] != use) continue;
      const double value = figure(service.vm[i]);
      sum += value;
      count += 1;
      telling += value > 0 ? 1 : 0;
    }
    if (telling > 0) return sum * count / telling;
  }
  return std::nullopt;
}

}  // namespace

bool workers_by_backend(const ServiceConfig& service) {
  return service.workers == 0 && any_tells(service.vm, workers_of);
}

bool capacity_by_backend(const ServiceConfig& service) {
  return service.capacity_rps == 0 && any_tells(service.vm, capacity_of);
}

Overlaid with_told(const ServiceConfig& file, const ToldService& told, const OwnAddresses& own) {
  Overlaid result{file, {}};
  ServiceConfig& service = result.service;
  if (told.workers && !workers_by_backend(file)) service.workers = *told.workers;
  if (told.capacity_rps && !capacity_by_backend(file)) service.capacity_rps = *told.capacity_rps;
  for (std::vector<BackendConfig>* list : {&service.vm, &service.serverless}) {
    std::erase_if(*list, [&told](const BackendConfig& backend) {
      return told.removed.contains(backend.endpoint);
    });
  }
  for (const auto& [endpoint, backend] : told.added) {
    auto& list = backend.tier == FLARE_TIER_VM ? service.vm : service.serverless;
    const auto known = std::find_if(
        list.begin(), list.end(),
        [&endpoint = endpoint](const BackendConfig& one) { return one.endpoint == endpoint; });
    if (known != list.end()) {
      *known = to_config(endpoint, backend, known->state);
      continue;
    }
    const auto stands = may_stand(service, backend.tier, endpoint, own);
    if (stands) {
      list.push_back(to_config(endpoint, backend, FLARE_BACKEND_ACTIVE));
    } else {
      result.left_out.push_back(stands.error().message());
    }
  }
  for (BackendConfig& backend : service.vm) {
    if (service.workers > 0) backend.workers = 0;
    if (service.capacity_rps > 0) backend.capacity_rps = 0;
  }
  return result;
}

ToldService pruned(ToldService told, const ServiceConfig& file) {
  std::erase_if(told.removed, [&file](const Endpoint& endpoint) {
    return !has_backend(file, FLARE_TIER_VM, endpoint) &&
           !has_backend(file, FLARE_TIER_SERVERLESS, endpoint);
  });
  return told;
}

Result<void> may_add(const ServiceConfig& service, const Endpoint& endpoint,
                     const ToldBackend& backend, const OwnAddresses& own) {
  auto stands = may_stand(service, backend.tier, endpoint, own);
  if (!stands) return stands;
  const bool workers = backend.workers > 0;
  const bool capacity = backend.capacity_rps > 0;
  if (backend.tier == FLARE_TIER_SERVERLESS) {
    if (!workers && !capacity) return {};
    return Error(named(service) + ": found workers or capacity_rps of a serverless backend; " +
                 "accepted: them for VM backends alone");
  }
  auto of_workers =
      may_tell(service, {"workers", service.workers > 0, workers_by_backend(service), workers});
  if (!of_workers) return of_workers;
  auto of_capacity = may_tell(
      service, {"capacity_rps", service.capacity_rps > 0, capacity_by_backend(service), capacity});
  if (!of_capacity) return of_capacity;
  return may_be(service, workers || service.workers > 0, capacity || service.capacity_rps > 0);
}

Result<void> may_set(const ServiceConfig& service, const WorkersChange& change,
                     const ServiceConfig& next) {
  const bool workers = change.workers && *change.workers && workers_by_backend(service);
  const bool capacity = change.capacity_rps && *change.capacity_rps && capacity_by_backend(service);
  if (workers || capacity) {
    const std::string name = workers ? "workers" : "capacity_rps";
    return Error(named(service) + ": found " + name + " of the service, and its VM backends have " +
                 "their own; accepted: backend-add with " + name);
  }
  const bool to_be_added = next.vm.empty() && next.placement != FLARE_PLACEMENT_RECEIVER;
  const bool has_workers = next.workers > 0 || workers_by_backend(next);
  const bool has_capacity = next.capacity_rps > 0 || capacity_by_backend(next) || to_be_added;
  if (!has_workers && to_be_added) return {};
  return may_be(next, has_workers, has_capacity);
}

Result<std::uint64_t> next_generation(const std::string& service, std::uint64_t last,
                                      std::optional<std::uint64_t> asked, bool changes) {
  if (asked && *asked < last) {
    return Error("generation " + std::to_string(*asked) + " is stale: service '" + service +
                 "' is at " + std::to_string(last) + "; accepted: " + std::to_string(last) +
                 " or higher");
  }
  if (asked) return *asked;
  if (!changes || last == std::numeric_limits<std::uint64_t>::max()) return last;
  return last + 1;
}

VmCapacity vm_capacity(const ServiceConfig& service, std::span<const BackendUse> uses,
                       const VmCapacity& before) {
  VmCapacity now{service.workers, service.capacity_rps};
  if (workers_by_backend(service)) {
    const auto sum = sum_of(service, uses, workers_of);
    now.workers = sum ? static_cast<std::uint32_t>(std::ceil(std::min<double>(*sum, kWorkersMax)))
                      : before.workers;
  }
  if (capacity_by_backend(service)) {
    const auto sum = sum_of(service, uses, capacity_of);
    now.capacity_rps = sum ? std::min(*sum, kCapacityMax) : before.capacity_rps;
  }
  return now;
}

std::uint64_t believed_after(const ServiceConfig& service, const VmCapacity& before,
                             const VmCapacity& now, std::uint64_t believed_mrps) {
  const auto told = static_cast<std::uint64_t>(std::llround(now.capacity_rps * 1000));
  if (service.policy != FLARE_POLICY_CAP) return told;
  const auto scaled = [believed_mrps](double factor) {
    return static_cast<std::uint64_t>(std::llround(static_cast<double>(believed_mrps) * factor));
  };
  if (now.capacity_rps != before.capacity_rps) {
    const bool added_up = capacity_by_backend(service) && before.capacity_rps > 0;
    return added_up ? scaled(now.capacity_rps / before.capacity_rps) : told;
  }
  if (now.workers == before.workers || now.workers == 0 || before.workers == 0)
    return believed_mrps;
  return scaled(static_cast<double>(now.workers) / before.workers);
}

}  // namespace flare
