#include "health/tier_health.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace flare {
namespace {

constexpr double kSlowTimes = 4;
constexpr double kSlowInFlightLeast = 8;
constexpr std::uint64_t kSlowNs = 3'000'000'000;
constexpr std::size_t kSlowOthersLeast = 2;

/// The median of `sorted` without one value, `own`, where that is in it: the lower one of the
/// middle two. Nothing where too few are left.
std::optional<double> median_of_others(const std::vector<double>& sorted,
                                       std::optional<double> own) {
  const std::size_t others = sorted.size() - (own && !sorted.empty() ? 1 : 0);
  if (others < kSlowOthersLeast) return std::nullopt;
  const std::size_t middle = (others - 1) / 2;
  return own && *own <= sorted[middle] ? sorted[middle + 1] : sorted[middle];
}

PassiveSignal slow_signal(double own_ns, double tier_ns) {
  return {PassiveKind::kSlow, fmt::format("takes {:.0f} ms a request, the tier {:.0f} ms",
                                          own_ns / 1e6, tier_ns / 1e6)};
}

}  // namespace

void TierHealth::configure(const HealthConfig& health, Protocol protocol,
                           const std::vector<TierMember>& members, std::uint64_t now_ns) {
  health_ = health;
  protocol_ = protocol;
  std::map<Endpoint, Member> before;
  for (Member& member : members_) before[member.config.endpoint] = std::move(member);
  members_.clear();
  members_.reserve(members.size());
  for (const TierMember& config : members) {
    Member member;
    const auto found = before.find(config.endpoint);
    const bool stays = found != before.end() && found->second.config.id == config.id &&
                       found->second.config.generation == config.generation;
    if (stays) {
      member = std::move(found->second);
    } else {
      member.health = BackendHealth(config.start);
    }
    member.config = config;
    const HealthPhase phase = member.health.phase();
    bool moved = false;
    if (health.check == HealthConfig::Check::kNone) moved = member.health.forget_checks(now_ns);
    if (!health.passive) moved = member.health.forget_ejection(now_ns) || moved;
    if (!health.passive) member.held.clear();
    if (moved) changed(member, phase, now_ns);
    members_.push_back(std::move(member));
  }
}

BackendVerdict TierHealth::verdict(std::size_t at, std::uint64_t now_ns) const {
  return members_[at].health.verdict(health_, protocol_, now_ns);
}

/// To be called after each change of a phase.
void TierHealth::changed(Member& member, HealthPhase before, std::uint64_t now_ns) {
  if (member.health.phase() == HealthPhase::kTrial) {
    member.watch.begin_trial();
  } else {
    member.watch.forget();
  }
  member.slow_since_ns = 0;
  member.held.clear();
  changes_.push_back(
      {member.config.endpoint, before, member.health.verdict(health_, protocol_, now_ns)});
}

void TierHealth::checked(std::size_t at, bool passed, const std::string& why,
                         std::uint64_t now_ns) {
  Member& member = members_[at];
  const HealthPhase before = member.health.phase();
  const bool moved = passed ? member.health.check_passed(health_, why, now_ns)
                            : member.health.check_failed(health_, why, now_ns);
  if (!moved) return;
  changed(member, before, now_ns);
  keep_one(now_ns);
}

void TierHealth::sample(std::span<const BackendSample> samples, SlowestNs slowest_ns,
                        std::uint64_t now_ns) {
  for (std::size_t i = 0; i < members_.size() && i < samples.size(); ++i) {
    members_[i].watch.add(samples[i], now_ns);
  }
  if (!health_.passive) return;
  judge_trials(slowest_ns, now_ns);
  judge_up(slowest_ns, now_ns);
  keep_one(now_ns);
}

void TierHealth::eject(Member& member, const PassiveSignal& signal, std::uint64_t now_ns) {
  const HealthPhase before = member.health.phase();
  member.ejected_for = signal.kind;
  if (member.health.eject(health_, signal.why, now_ns)) changed(member, before, now_ns);
}

void TierHealth::judge_trials(SlowestNs slowest_ns, std::uint64_t now_ns) {
  const Pace tier = pace();
  for (Member& member : members_) {
    const HealthPhase before = member.health.phase();
    if (member.health.step(now_ns)) changed(member, before, now_ns);
    if (before != HealthPhase::kTrial) continue;
    auto signal = member.watch.trial_signal(protocol_, slowest_ns);
    const bool answers =
        member.ejected_for == PassiveKind::kHung || member.ejected_for == PassiveKind::kSlow;
    const bool good = !signal && member.watch.trial_is_good(answers);
    if (good && answers) signal = slow_in_trial(member, tier);
    if (signal && has_company(member)) {
      eject(member, *signal, now_ns);
    } else if (signal) {
      member.held = signal->why + "; not ejected: no other backend of the tier takes flows";
      member.watch.begin_trial();
    } else if (good && member.health.trial_passed(now_ns)) {
      changed(member, before, now_ns);
    }
  }
}

/// Why no further member may be ejected; "" where one may.
std::string TierHealth::why_not_ejected() const {
  std::size_t all = 0;
  std::size_t up = 0;
  std::size_t out = 0;
  for (const Member& member : members_) {
    if (!member.config.takes_flows) continue;
    const HealthPhase phase = member.health.phase();
    ++all;
    if (phase == HealthPhase::kUp) ++up;
    if (phase == HealthPhase::kEjected || phase == HealthPhase::kTrial) ++out;
  }
  if (health_.eject_max <= 0) return "eject_max is 0";
  if (up < 2) return "no other backend of the tier is up";
  const auto part = static_cast<std::size_t>(static_cast<double>(all) * health_.eject_max);
  const std::size_t most = std::max<std::size_t>(part, 1);
  if (out < most) return "";
  return fmt::format("{} of {} backends are ejected, the most by eject_max", out, all);
}

void TierHealth::judge_up(SlowestNs slowest_ns, std::uint64_t now_ns) {
  const Pace tier = pace();
  std::vector<std::pair<Member*, PassiveSignal>> suspects;
  for (Member& member : members_) {
    if (!member.health.is_up() || !member.config.takes_flows) {
      member.held.clear();
      continue;
    }
    auto signal = member.watch.signal(protocol_, slowest_ns);
    auto too_slow = slow(member, tier, now_ns);
    if (!signal) signal = too_slow;
    if (signal) {
      suspects.emplace_back(&member, *signal);
    } else {
      member.held.clear();
    }
  }
  // The surest signs first, as not all may be ejected.
  std::stable_sort(suspects.begin(), suspects.end(),
                   [](const auto& a, const auto& b) { return a.second.kind < b.second.kind; });
  for (const auto& [member, signal] : suspects) {
    const std::string why_not = why_not_ejected();
    if (why_not.empty()) {
      eject(*member, signal, now_ns);
    } else {
      member->held = signal.why + "; not ejected: " + why_not;
    }
  }
}

/// Another member takes new flows, be it on trial.
bool TierHealth::has_company(const Member& one) const {
  return std::any_of(members_.begin(), members_.end(), [&one](const Member& member) {
    const HealthPhase phase = member.health.phase();
    return &member != &one && member.config.takes_flows &&
           (phase == HealthPhase::kUp || phase == HealthPhase::kTrial);
  });
}

/// Passive signals never take the last one: a trial is better than nothing.
void TierHealth::keep_one(std::uint64_t now_ns) {
  const bool any = std::any_of(members_.begin(), members_.end(), [](const Member& member) {
    const HealthPhase phase = member.health.phase();
    return member.config.takes_flows && (phase == HealthPhase::kUp || phase == HealthPhase::kTrial);
  });
  if (any) return;
  for (Member& member : members_) {
    const HealthPhase before = member.health.phase();
    if (member.config.takes_flows && member.health.release(now_ns)) {
      changed(member, before, now_ns);
    }
  }
}

TierHealth::Pace TierHealth::pace() const {
  Pace pace;
  for (const Member& member : members_) {
    if (!member.health.is_up() || !member.config.takes_flows) continue;
    const RecentLoad load = member.watch.recent();
    const auto time_ns = load.request_ns();
    if (!time_ns) continue;
    pace.in_flight.push_back(load.in_flight / member.config.weight);
    pace.request_ns.push_back(*time_ns);
  }
  std::sort(pace.in_flight.begin(), pace.in_flight.end());
  std::sort(pace.request_ns.begin(), pace.request_ns.end());
  return pace;
}

/// `member` is one of those that are up.
std::optional<PassiveSignal> TierHealth::slow(Member& member, const Pace& pace,
                                              std::uint64_t now_ns) const {
  const RecentLoad load = member.watch.recent();
  const auto since_ns = std::exchange(member.slow_since_ns, 0);
  if (protocol_ != Protocol::kTcp || load.in_flight < kSlowInFlightLeast) return std::nullopt;
  const double each = load.in_flight / member.config.weight;
  const auto own_ns = load.request_ns();
  const auto in_flight =
      median_of_others(pace.in_flight, own_ns ? std::optional(each) : std::nullopt);
  const auto request_ns = median_of_others(pace.request_ns, own_ns);
  if (!in_flight || !request_ns) return std::nullopt;
  // Where none was answered a request takes this at least.
  const double time_ns = own_ns.value_or(load.in_flight * static_cast<double>(load.elapsed_ns));
  if (each <= kSlowTimes * *in_flight || time_ns <= kSlowTimes * *request_ns) return std::nullopt;
  member.slow_since_ns = since_ns != 0 ? since_ns : now_ns;
  if (now_ns - member.slow_since_ns < kSlowNs) return std::nullopt;
  return slow_signal(time_ns, *request_ns);
}

/// With a trickle alone there is no queue; what it takes now is what it needs.
std::optional<PassiveSignal> TierHealth::slow_in_trial(const Member& member,
                                                       const Pace& pace) const {
  const auto request_ns = median_of_others(pace.request_ns, std::nullopt);
  const auto own_ns = member.watch.trial_load().request_ns();
  if (!request_ns || !own_ns || *own_ns <= kSlowTimes * *request_ns) return std::nullopt;
  return slow_signal(*own_ns, *request_ns);
}

std::vector<HealthChange> TierHealth::take_changes() { return std::exchange(changes_, {}); }

}  // namespace flare
