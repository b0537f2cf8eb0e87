#include "eval/sim/flare.h"

#include <utility>

#include "control/cap.h"
#include "control/formula.h"
#include "select.bpf.h"

namespace flare::eval {
namespace {

/// The datapath's clock is above 0 and not near it.
std::uint64_t kernel_ns(std::int64_t now_ns) {
  return static_cast<std::uint64_t>(now_ns + 1'000'000 * kSecondNs);
}

bool takes(std::uint64_t& word, std::uint64_t now, const RateLimit& limit) {
  const std::uint64_t next = bucket_next(word, now, limit.interval_ns, limit.depth_ns);
  if (next != 0) word = next;
  return next != 0;
}

bool is_formula(SimPolicy policy) {
  return policy == SimPolicy::kL7 || policy == SimPolicy::kL7Lag || policy == SimPolicy::kFormula;
}

bool is_cap(SimPolicy policy) {
  return policy == SimPolicy::kCap || policy == SimPolicy::kCapLearned;
}

}  // namespace

Flare::Flare(const NodeConfig& config)
    : policy_(config.policy),
      by_request_(config.policy == SimPolicy::kL7 || config.policy == SimPolicy::kL7Lag),
      enforces_(is_formula(config.policy) || is_cap(config.policy)),
      told_rps_of_pod_(config.told * config.machines.pod_rps()),
      slots_(config.machines.slots),
      lag_ns_(config.policy == SimPolicy::kL7Lag ? 5 * kSecondNs : 0) {
  service_.policy = is_cap(config.policy) ? FLARE_POLICY_CAP : FLARE_POLICY_FORMULA;
  service_.formula.significance = config.significance;
  service_.move.how = config.move ? FLARE_MOVE_CLOSE : FLARE_MOVE_NONE;
  if (config.functions.ramp) ramp_ = ramp_limit(service_.spend);
  tell_pods(config.machines.pods);
}

void Flare::tell_pods(int pods) {
  if (!enforces_) return;
  if (policy_ != SimPolicy::kCapLearned) {
    // What was learned grows and shrinks with what is told.
    const double before_rps = std::exchange(service_.capacity_rps, told_rps_of_pod_ * pods);
    const double learned = static_cast<double>(control_.capacity_mrps());
    const double known = before_rps > 0 ? learned / (before_rps * 1000) : 1;
    control_.believe(static_cast<std::uint64_t>(known * service_.capacity_rps * 1000));
    service_.workers = static_cast<std::uint32_t>(slots_ * pods);
  }
  steer();
}

/// As ServiceSet::steering_of() and compose_service().
void Flare::steer() {
  const double capacity_rps = static_cast<double>(control_.capacity_mrps()) / 1000;
  const bool cap = service_.policy == FLARE_POLICY_CAP;
  if (learns_workers(service_)) {
    workers_ = control_.limiter().workers();
    cap_ = control_.limiter().cap();
  } else {
    workers_ = service_.workers;
    cap_ = cap ? cap_of(service_.workers) : 0;
  }
  // A proxy has no bucket.
  if (!by_request_) {
    bucket_ = bucket_limit(cap ? capacity_rps * kBucketHeadroom : capacity_rps, std::nullopt);
  }
}

flare_tier Flare::wish(std::uint64_t hash, std::uint64_t now) {
  if (policy_ == SimPolicy::kServerlessOnly) return FLARE_TIER_SERVERLESS;
  if (!enforces_) return FLARE_TIER_VM;
  if (share_takes(hash, share_)) {
    ++counters_.spilled[FLARE_SPILL_SHARE];
    return FLARE_TIER_SERVERLESS;
  }
  if (cap_ != 0 && in_flight_[FLARE_TIER_VM] >= cap_) {
    ++counters_.spilled[FLARE_SPILL_CAP];
    return FLARE_TIER_SERVERLESS;
  }
  if (bucket_.interval_ns != 0 && !takes(bucket_time_, now, bucket_)) {
    ++counters_.spilled[FLARE_SPILL_BUCKET];
    if (in_flight_[FLARE_TIER_VM] * 10 < std::int64_t{workers_} * 9) ++counters_.early_bucket;
    return FLARE_TIER_SERVERLESS;
  }
  return FLARE_TIER_VM;
}

bool Flare::ramp_allows(std::uint64_t now) {
  if (ramp_.interval_ns == 0) return true;
  const auto active = static_cast<std::uint64_t>(in_flight_[FLARE_TIER_SERVERLESS]);
  ramp_peak_ = ramp_peak(active, ramp_peak_, last_spill_, now);
  if (active < ramp_peak_) return true;
  if (!takes(ramp_time_, now, ramp_)) return false;
  ramp_peak_ = active + 1;
  return true;
}

flare_tier Flare::choose(std::uint64_t hash, std::int64_t now_ns) {
  const std::uint64_t now = kernel_ns(now_ns);
  if (wish(hash, now) == FLARE_TIER_VM) return FLARE_TIER_VM;
  if (!ramp_allows(now)) {
    ++counters_.refused[FLARE_REFUSAL_SPEND_RAMP];
    if (cap_ != 0 && in_flight_[FLARE_TIER_VM] >= cap_) ++counters_.over_cap;
    return FLARE_TIER_VM;  // overload: vm
  }
  last_spill_ = now;
  return FLARE_TIER_SERVERLESS;
}

void Flare::begin(flare_tier tier, bool first, std::int64_t now_ns) {
  ++counters_.tier[tier].requests;
  if (tier == FLARE_TIER_VM && workers_ != 0 && in_flight_[tier] >= workers_) ++counters_.busy;
  if (tier == FLARE_TIER_VM && !first && bucket_.interval_ns != 0) {
    bucket_charge(reinterpret_cast<__u64*>(&bucket_time_), kernel_ns(now_ns), bucket_.interval_ns,
                  bucket_.depth_ns);
  }
  ++in_flight_[tier];
}

void Flare::end(flare_tier tier, std::int64_t begun_ns, std::int64_t now_ns, bool answered) {
  --in_flight_[tier];
  if (!answered) {
    ++counters_.tier[tier].abandoned;
    return;
  }
  ++counters_.tier[tier].answers;
  if (tier != FLARE_TIER_VM) return;
  ++timed_;
  time_ns_ += static_cast<std::uint64_t>(now_ns - begun_ns);
}

/// As move_wanted().
bool Flare::moves(flare_tier tier, std::int64_t now_ns) {
  const RateLimit& limit = move_limit_[tier];
  if (limit.interval_ns == 0) return false;
  const bool full = in_flight_[FLARE_TIER_VM] >= cap_;
  if (move_gated_ && cap_ != 0 && full != (tier == FLARE_TIER_VM)) return false;
  return takes(move_time_[tier], kernel_ns(now_ns), limit);
}

void Flare::control(std::int64_t now_ns) {
  if (!enforces_) return;
  const ServiceSample sample{counters_, timed_, time_ns_, std::nullopt};
  if (const auto outcome = control_.step(service_, sample, kernel_ns(now_ns))) {
    late_.push_back(
        {now_ns + lag_ns_, applied_share(service_, std::nullopt, outcome->wanted_share)});
  }
  while (!late_.empty() && late_.front().at_ns <= now_ns) {
    share_ = late_.front().share;
    late_.pop_front();
  }
  steer();
}

/// As ServiceSet::move().
void Flare::steer_moves(std::int64_t now_ns) {
  if (!enforces_ || service_.move.how == FLARE_MOVE_NONE) return;
  MoveInput input;
  input.elapsed_ns = static_cast<std::uint64_t>(now_ns - std::exchange(moved_ns_, now_ns));
  std::uint64_t grown[FLARE_TIERS_COUNT];
  for (const flare_tier tier : kTiers) {
    const std::uint64_t requests = counters_.tier[tier].requests;
    grown[tier] = requests - std::exchange(moved_requests_[tier], requests);
  }
  input.vm_requests = grown[FLARE_TIER_VM];
  input.serverless_requests = grown[FLARE_TIER_SERVERLESS];
  input.in_flight = in_flight_[FLARE_TIER_VM];
  input.share = share_;
  input.by_cap = service_.policy == FLARE_POLICY_CAP;
  input.workers = workers_;
  input.cap = cap_;
  input.rate = service_.move.rate;
  const MoveRates rates = mover_.step(input);
  move_limit_[FLARE_TIER_VM] = move_limit(rates.vm);
  move_limit_[FLARE_TIER_SERVERLESS] = move_limit(rates.serverless);
  move_gated_ = rates.gated;
}

}  // namespace flare::eval
