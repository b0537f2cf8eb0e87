// What the VM tier is told to do at once and a second: by the service, or by each of its backends.
#include <algorithm>
#include <cstddef>

#include "discovery/check_words.h"
#include "model/words.h"

namespace flare {
namespace {

/// One of the two figures.
struct Figure {
  std::string_view name;
  Place ServicePlaces::*of_service;
  Place BackendPlaces::*of_backend;
};

constexpr Figure kWorkers{"workers", &ServicePlaces::workers, &BackendPlaces::workers};
constexpr Figure kCapacity{"capacity_rps", &ServicePlaces::capacity, &BackendPlaces::capacity};

bool is_told(const Figure& figure, const BackendPlaces& backend) {
  return (backend.*figure.of_backend).line != 0;
}

bool backends_tell(const Figure& figure, const TierPlaces& tier) {
  return std::any_of(tier.told.begin(), tier.told.end(),
                     [&figure](const BackendPlaces& one) { return is_told(figure, one); });
}

bool is_told(const Figure& figure, const Draft& draft, std::size_t i) {
  const ServicePlaces& places = draft.services[i];
  const TierPlaces& vm = places.tier[FLARE_TIER_VM];
  const bool to_be_added =
      vm.is_list && !vm.given && draft.config.services[i].placement != FLARE_PLACEMENT_RECEIVER;
  return (places.*figure.of_service).line != 0 || backends_tell(figure, vm) || to_be_added;
}

void check_serverless(const Figure& figure, const Draft& draft, std::size_t i, Problems& problems) {
  const TierPlaces& tier = draft.services[i].tier[FLARE_TIER_SERVERLESS];
  for (std::size_t b = 0; b < tier.told.size(); ++b) {
    if (!is_told(figure, tier.told[b])) continue;
    problems.refuse(tier.told[b].*figure.of_backend, service_key(i, "serverless", b, figure.name),
                    std::string(figure.name) + " of a serverless backend",
                    std::string(figure.name) + " of VM backends alone");
  }
}

void check_vm(const Figure& figure, const Draft& draft, std::size_t i, Problems& problems) {
  const TierPlaces& tier = draft.services[i].tier[FLARE_TIER_VM];
  if (!backends_tell(figure, tier)) return;
  const std::string name(figure.name);
  const Place of_service = draft.services[i].*figure.of_service;
  if (of_service.line != 0) {
    problems.refuse(of_service, service_key(i, figure.name),
                    name + " of the service and of its VM backends, which are added up",
                    name + " of the one or of the others");
  }
  for (std::size_t b = 0; b < tier.told.size(); ++b) {
    if (is_told(figure, tier.told[b])) continue;
    problems.refuse(tier.backends[b], service_key(i, "vm", b, figure.name),
                    "no " + name + ", which other VM backends of the service have",
                    name + " of each VM backend, or of none");
  }
}

}  // namespace

bool tells_workers(const Draft& draft, std::size_t i) { return is_told(kWorkers, draft, i); }
bool tells_capacity(const Draft& draft, std::size_t i) { return is_told(kCapacity, draft, i); }

void check_capacity(const Draft& draft, std::size_t i, Problems& problems) {
  for (const Figure& figure : {kWorkers, kCapacity}) {
    check_serverless(figure, draft, i, problems);
    check_vm(figure, draft, i, problems);
  }
  const TierPlaces& vm = draft.services[i].tier[FLARE_TIER_VM];
  if (draft.config.services[i].protocol != Protocol::kUdp) return;
  for (std::size_t b = 0; b < vm.told.size(); ++b) {
    if (!is_told(kWorkers, vm.told[b])) continue;
    problems.refuse(vm.told[b].workers, service_key(i, "vm", b, "workers"),
                    "a cap on requests for UDP, whose requests are not counted", "no workers");
  }
}

}  // namespace flare
