#include "service/service_control.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <utility>

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

}  // namespace

bool ServiceControl::is_due(const ServiceConfig& service, std::uint64_t now_ns,
                            std::uint64_t slack_ns) const {
  const auto interval =
      static_cast<std::uint64_t>(std::chrono::nanoseconds(service.formula.interval).count());
  return !last_ || now_ns + slack_ns >= last_->at_ns + interval;
}

std::optional<ControlOutcome> ServiceControl::step(const ServiceConfig& service,
                                                   const flare_service_counters& totals,
                                                   std::uint64_t now_ns) {
  const auto before = std::exchange(last_, Sample{totals, now_ns});
  if (!before || now_ns <= before->at_ns) return std::nullopt;
  const flare_service_counters& old = before->totals;
  ControlOutcome outcome;
  outcome.elapsed_ns = now_ns - before->at_ns;
  const std::uint64_t vm =
      growth(totals.tier[FLARE_TIER_VM].flows_new, old.tier[FLARE_TIER_VM].flows_new);
  const std::uint64_t serverless = growth(totals.tier[FLARE_TIER_SERVERLESS].flows_new,
                                          old.tier[FLARE_TIER_SERVERLESS].flows_new);
  outcome.refused = growth(sum(totals.refused), sum(old.refused));
  // What was rejected or dropped was load too; what went to the VM tier instead is counted there.
  const std::uint64_t turned_away = service.overload == FLARE_OVERLOAD_VM ? 0 : outcome.refused;
  const std::uint64_t arrivals = vm + serverless + turned_away;

  const auto capacity = static_cast<std::uint64_t>(std::llround(service.capacity_rps * 1000));
  const FormulaOutput result =
      formula({arrivals, arrivals_before_, outcome.elapsed_ns, elapsed_before_ns_, capacity,
               service.formula.significance});
  arrivals_before_ = arrivals;
  elapsed_before_ns_ = outcome.elapsed_ns;

  outcome.arrivals_mrps = result.arrivals_mrps;
  outcome.load_mrps = result.load_mrps;
  outcome.vm_mrps = rate_mrps(vm, outcome.elapsed_ns);
  outcome.serverless_mrps = rate_mrps(serverless, outcome.elapsed_ns);
  const std::uint64_t asked = capacity == 0 ? 0 : result.share;
  outcome.wanted_share = std::max(asked, share_from_fraction(service.min_share));
  outcome.spilled_share = growth(totals.spilled[FLARE_SPILL_SHARE], old.spilled[FLARE_SPILL_SHARE]);
  outcome.spilled_bucket =
      growth(totals.spilled[FLARE_SPILL_BUCKET], old.spilled[FLARE_SPILL_BUCKET]);
  outcome.observed = growth(sum(totals.observed), sum(old.observed));
  return outcome;
}

std::uint64_t applied_share(const ServiceConfig& service, std::optional<double> pin,
                            std::uint64_t wanted) {
  if (pin) return share_from_fraction(*pin);
  return service.policy == FLARE_POLICY_OBSERVE ? 0 : wanted;
}

}  // namespace flare
