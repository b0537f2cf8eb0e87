#include "service/service_control.h"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <utility>

#include "base/clock.h"
#include "control/cap.h"
#include "service/endpoints.h"

namespace flare {
namespace {

/// What a counter grew by; 0 where it was started anew.
std::uint64_t growth(std::uint64_t now, std::uint64_t before) {
  return now > before ? now - before : 0;
}

template <std::size_t Size>
std::uint64_t sum(const __u64 (&values)[Size]) {
  return std::accumulate(std::begin(values), std::end(values), std::uint64_t{0});
}

SpillCauses by_cause(const __u64 (&now)[FLARE_SPILL_SLOTS],
                     const __u64 (&before)[FLARE_SPILL_SLOTS]) {
  SpillCauses flows{};
  for (std::size_t cause = 0; cause < flows.size(); ++cause) {
    flows[cause] = growth(now[cause], before[cause]);
  }
  return flows;
}

/// What came to a tier: requests, or flows where nobody can tell requests.
std::uint64_t load_of(const ServiceConfig& service, const flare_traffic& now,
                      const flare_traffic& before) {
  if (service.protocol == Protocol::kUdp) return growth(now.flows_new, before.flows_new);
  return growth(now.requests, before.requests);
}

/// Requests on connections from before the last change, of all requests of the interval.
std::uint64_t pinned_share(const flare_service_counters& now,
                           const flare_service_counters& before) {
  std::uint64_t all = 0;
  for (std::uint32_t tier = 0; tier < FLARE_TIERS_COUNT; ++tier) {
    all += growth(now.tier[tier].requests, before.tier[tier].requests);
  }
  if (all == 0) return 0;
  const std::uint64_t pinned = growth(sum(now.pinned), sum(before.pinned));
  return share_from_fraction(static_cast<double>(pinned) / static_cast<double>(all));
}

/// The cap sent flows away, or would have, had it been allowed to.
bool cap_was_felt(const flare_service_counters& now, const flare_service_counters& before) {
  return growth(now.spilled[FLARE_SPILL_CAP], before.spilled[FLARE_SPILL_CAP]) > 0 ||
         growth(now.observed[FLARE_SPILL_CAP], before.observed[FLARE_SPILL_CAP]) > 0 ||
         growth(now.over_cap, before.over_cap) > 0;
}

}  // namespace

bool learns_workers(const ServiceConfig& service) {
  return service.workers == 0 && !workers_by_backend(service) &&
         service.policy != FLARE_POLICY_FORMULA && service.protocol == Protocol::kTcp &&
         service.counting == FLARE_COUNTING_AUTO;
}

/// What the interval says of the VM tier's workers and of its capacity.
void ServiceControl::learn(const ServiceConfig& service, const ServiceSample& now,
                           const ServiceSample& before, std::uint64_t elapsed_ns) {
  const flare_traffic& vm = now.totals.tier[FLARE_TIER_VM];
  const flare_traffic& vm_before = before.totals.tier[FLARE_TIER_VM];
  const std::uint64_t answers = growth(vm.answers, vm_before.answers);
  const bool cap = service.policy == FLARE_POLICY_CAP;
  CapInput input{growth(vm.requests, vm_before.requests),
                 growth(now.totals.busy, before.totals.busy), answers,
                 growth(now.totals.early_bucket, before.totals.early_bucket), elapsed_ns};
  if (learns_workers(service)) {
    limiter_.step({elapsed_ns, answers, growth(now.timed, before.timed),
                   growth(now.time_ns, before.time_ns), cap_was_felt(now.totals, before.totals),
                   cap});
    // Workers that are still being found out are busy at any load; only waiting shows a full tier.
    if (!limiter_.saturated() || limiter_.probing()) {
      input.busy = 0;
      input.early_bucket =
          growth(now.totals.spilled[FLARE_SPILL_BUCKET], before.totals.spilled[FLARE_SPILL_BUCKET]);
    }
  }
  // What a service reports may be more than packets show; the capacity must be of one kind with it.
  if (cap && service.counting != FLARE_COUNTING_REPORTED) {
    capacity_mrps_ = learned_capacity_mrps(capacity_mrps_, input);
  }
}

bool ServiceControl::is_due(const ServiceConfig& service, std::uint64_t now_ns,
                            std::uint64_t slack_ns) const {
  return !last_ || now_ns + slack_ns >= last_ns_ + to_ns(service.formula.interval);
}

std::optional<ControlOutcome> ServiceControl::step(const ServiceConfig& service,
                                                   const ServiceSample& sample,
                                                   std::uint64_t now_ns) {
  const auto before = std::exchange(last_, sample);
  const std::uint64_t before_ns = std::exchange(last_ns_, now_ns);
  if (!before || now_ns <= before_ns) return std::nullopt;
  const flare_service_counters& totals = sample.totals;
  const flare_service_counters& old = before->totals;
  ControlOutcome outcome;
  outcome.elapsed_ns = now_ns - before_ns;
  const std::uint64_t vm =
      sample.reported_mrps ? count_in(*sample.reported_mrps, outcome.elapsed_ns)
                           : load_of(service, totals.tier[FLARE_TIER_VM], old.tier[FLARE_TIER_VM]);
  const std::uint64_t serverless =
      load_of(service, totals.tier[FLARE_TIER_SERVERLESS], old.tier[FLARE_TIER_SERVERLESS]);
  outcome.refused = growth(sum(totals.refused), sum(old.refused));
  // What was rejected or dropped was load too; what went to the VM tier instead is counted there.
  const std::uint64_t turned_away = service.overload == FLARE_OVERLOAD_VM ? 0 : outcome.refused;
  const std::uint64_t arrivals = vm + serverless + turned_away;

  const bool cap = service.policy == FLARE_POLICY_CAP;
  learn(service, sample, *before, outcome.elapsed_ns);
  outcome.capacity_mrps = capacity_mrps_;
  const FormulaOutput result =
      formula({arrivals, arrivals_before_, outcome.elapsed_ns, elapsed_before_ns_, capacity_mrps_,
               service.formula.significance});
  arrivals_before_ = arrivals;
  elapsed_before_ns_ = outcome.elapsed_ns;

  outcome.arrivals_mrps = result.arrivals_mrps;
  outcome.load_mrps = result.load_mrps;
  outcome.vm_mrps = rate_mrps(vm, outcome.elapsed_ns);
  outcome.serverless_mrps = rate_mrps(serverless, outcome.elapsed_ns);
  const std::uint64_t asked = cap || capacity_mrps_ == 0 ? 0 : result.share;
  outcome.wanted_share = std::max(asked, share_from_fraction(service.min_share));
  outcome.spilled = by_cause(totals.spilled, old.spilled);
  outcome.observed = by_cause(totals.observed, old.observed);
  outcome.pinned = pinned_share(totals, old);
  return outcome;
}

std::uint64_t applied_share(const ServiceConfig& service, std::optional<double> pin,
                            std::uint64_t wanted) {
  if (pin) return share_from_fraction(*pin);
  return service.policy == FLARE_POLICY_OBSERVE ? 0 : wanted;
}

}  // namespace flare
