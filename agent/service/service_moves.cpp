// How open connections follow what was decided for new ones.
#include <cmath>
#include <utility>

#include "service/service_set.h"

namespace flare {
namespace {

/// A share that changes by less leaves what is open about where it belongs.
constexpr double kShareStep = 0.02;

}  // namespace

/// Open connections stay as they were decided, so from a turn of the spill on, or from another
/// share on, their requests count as pinned.
void ServiceSet::note_steering(Managed& service, std::uint64_t share, bool turned) {
  const double before = share_to_fraction(service.steered_share);
  if (!turned && std::abs(share_to_fraction(share) - before) < kShareStep) return;
  service.steered_share = share;
  ++service.steering;
}

Result<void> ServiceSet::move(std::uint64_t now_ns) {
  std::optional<Error> first;
  for (Managed& service : services_) {
    if (service.config.move.how == FLARE_MOVE_NONE) continue;
    auto moved = move(service, now_ns);
    if (!moved && !first) first = moved.error();
  }
  if (first) return *first;
  return {};
}

Result<void> ServiceSet::move(Managed& service, std::uint64_t now_ns) {
  const flare_service_counters totals = tables_.counters(service.identity.id);
  const flare_admission admission = tables_.admission(service.identity.id);
  const std::uint64_t vm = totals.tier[FLARE_TIER_VM].requests;
  const std::uint64_t serverless = totals.tier[FLARE_TIER_SERVERLESS].requests;
  const auto before =
      std::exchange(service.move_sample, MoveSample{.requests = {vm, serverless}, .at_ns = now_ns});
  if (!before || now_ns <= before->at_ns) return {};
  const Steering steering = steering_of(service);
  MoveRates moves;
  if (steering.enforced) {
    MoveInput input;
    input.elapsed_ns = now_ns - before->at_ns;
    input.vm_requests = vm - before->requests[FLARE_TIER_VM];
    input.serverless_requests = serverless - before->requests[FLARE_TIER_SERVERLESS];
    input.in_flight = static_cast<std::int64_t>(service.config.counting == FLARE_COUNTING_REPORTED
                                                    ? admission.reported
                                                    : admission.in_flight[FLARE_TIER_VM]);
    input.share = steering.share;
    input.by_cap = service.config.policy == FLARE_POLICY_CAP && !pin_of(service.config.name);
    input.workers = steering.workers;
    input.cap = steering.cap;
    input.rate = service.config.move.rate;
    moves = service.mover.step(input);
  }
  if (moves == service.moves) return {};
  service.moves = moves;
  return publish(service);
}

}  // namespace flare
