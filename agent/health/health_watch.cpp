#include "health/health_watch.h"

#include <optional>
#include <utility>

#include "model/words.h"

namespace flare {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::chrono::milliseconds kStepEvery{100};
constexpr std::uint64_t kSampleEvery = kSecond * 3 / 20;  ///< every other step
/// Counters of so many backends are read in a step; where there are more, samples are rarer.
constexpr std::size_t kSamplesAStep = 2048;
constexpr std::uint64_t kSlowestEvery = 10 * kSecond;
constexpr std::uint64_t kWeightsEvery = kSecond;
constexpr std::size_t kLinesAStep = 20;
/// Checks that are late by so much of their interval are told; by a tenth of it no more.
constexpr double kLate = 1;

const char* line_of(HealthPhase phase) {
  switch (phase) {
    case HealthPhase::kUp:
    case HealthPhase::kSlowStart:
      return "backend is up again";
    case HealthPhase::kTrial:
      return "backend is on trial";
    case HealthPhase::kEjected:
      return "backend is ejected";
    case HealthPhase::kDown:
      return "backend is down";
  }
  return "backend changed";
}

}  // namespace

Result<std::unique_ptr<HealthWatch>> HealthWatch::make(const Parts& parts,
                                                       const CheckerLimits& limits,
                                                       std::uint64_t seed) {
  std::unique_ptr<HealthWatch> watch(new HealthWatch(parts));
  HealthWatch* self = watch.get();
  auto checker = Checker::make(
      parts.loop, parts.clock, limits, seed,
      [self](std::uint64_t key, const CheckResult& result) { self->checked(key, result); });
  if (!checker) return checker.error();
  watch->checker_ = *std::move(checker);
  auto timer = Timer::every(parts.loop, kStepEvery, [self] { self->step(); });
  if (!timer) return timer.error();
  watch->timer_ = *std::move(timer);
  return watch;
}

Result<void> HealthWatch::configure(const std::vector<WatchedTier>& tiers) {
  const std::uint64_t now_ns = parts_.clock.now_ns();
  auto places_before = std::exchange(places_, {});
  auto tiers_before = std::exchange(tiers_, {});
  for (const WatchedTier& config : tiers) {
    const Name name{config.service, config.tier};
    const auto found = tiers_before.find(name);
    if (found != tiers_before.end()) {
      tiers_[name] = std::move(found->second);
      tiers_before.erase(found);
    }
    configure_tier(config, tiers_[name], now_ns);
  }
  for (const auto& [key, place] : places_before) {
    if (!places_.contains(key)) checker_->remove(key);
  }
  std::optional<Error> first;
  for (const auto& [name, gone] : tiers_before) {
    if (gone.told.empty()) continue;
    // The service may be gone, too; then there is nobody to tell.
    static_cast<void>(parts_.sink.set_health(name.first, name.second, {}));
  }
  for (auto& [name, tier] : tiers_) {
    auto published = publish(tier, now_ns);
    if (!published && !first) first = published.error();
  }
  if (first) return *first;
  return {};
}

void HealthWatch::configure_tier(const WatchedTier& config, Tier& tier, std::uint64_t now_ns) {
  std::map<Endpoint, MemberState> before;
  for (std::size_t i = 0; i < tier.members.size(); ++i) {
    before[tier.health.member(i).endpoint] = std::move(tier.members[i]);
  }
  tier.config = config;
  tier.members.clear();
  std::vector<TierMember> members;
  const bool checks = config.health.check != HealthConfig::Check::kNone;
  for (const WatchedTier::Member& member : config.members) {
    MemberState state = before[member.tier.endpoint];
    if (!checks || !member.checked) {
      state = {};
    } else {
      const bool fresh = state.key == 0;
      if (fresh) state.key = ++keys_;
      places_[state.key] = {{config.service, config.tier}, members.size()};
      checker_->set(state.key, plan_of(config.health, member.tier.endpoint));
      // It gets flows already; nobody knows yet whether it should.
      if (fresh && member.tier.start == BackendHealth::Start::kUnknown) checker_->hurry(state.key);
    }
    tier.members.push_back(std::move(state));
    members.push_back(member.tier);
  }
  tier.health.configure(config.health, config.protocol, members, now_ns);
  tier.dirty = true;
  note_changes(tier);
}

void HealthWatch::checked(std::uint64_t key, const CheckResult& result) {
  const auto found = places_.find(key);
  if (found == places_.end()) return;
  Tier& tier = tiers_.at(found->second.tier);
  MemberState& member = tier.members[found->second.member];
  const std::uint64_t now_ns = parts_.clock.now_ns();
  const bool passed = result.verdict == CheckResult::Verdict::kPassed;
  member.last_check = (passed ? "passed: " : "failed: ") + result.why;
  member.last_check_ns = now_ns;
  if (result.verdict == CheckResult::Verdict::kUnknown) {
    member.last_check = "could not be made: " + result.why;
    return;
  }
  tier.health.checked(found->second.member, passed, "check: " + result.why, now_ns);
  note_changes(tier);
}

void HealthWatch::step() {
  const std::uint64_t now_ns = parts_.clock.now_ns();
  sample_some(now_ns);
  publish_due(now_ns);
  tell_lateness();
  if (lines_left_out_ > 0) {
    parts_.log.warn("more backends changed, which is not told one by one changes={}",
                    lines_left_out_);
  }
  lines_ = lines_left_out_ = 0;
}

/// Whose turn it is, in a round over all tiers, as far as the step's reads go.
void HealthWatch::sample_some(std::uint64_t now_ns) {
  std::size_t read = 0;
  auto at = tiers_.upper_bound(sampled_last_);
  for (std::size_t i = 0; i < tiers_.size() && read < kSamplesAStep; ++i, ++at) {
    if (at == tiers_.end()) at = tiers_.begin();
    Tier& tier = at->second;
    if (!tier.config.health.passive || now_ns - tier.sampled_ns < kSampleEvery) continue;
    sample(tier, now_ns);
    read += tier.health.size();
    sampled_last_ = at->first;
  }
}

void HealthWatch::sample(Tier& tier, std::uint64_t now_ns) {
  tier.sampled_ns = now_ns;
  if (tier.slowest_at_ns == 0 || now_ns - tier.slowest_at_ns >= kSlowestEvery) {
    tier.slowest_ns = parts_.source.slowest_ns(tier.config.service_id, tier.config.tier);
    tier.slowest_at_ns = now_ns;
  }
  std::vector<BackendSample> samples;
  samples.reserve(tier.health.size());
  for (std::size_t i = 0; i < tier.health.size(); ++i) {
    samples.push_back(parts_.source.sample(tier.health.member(i).id));
  }
  tier.health.sample(samples, tier.slowest_ns, now_ns);
  note_changes(tier);
}

void HealthWatch::note_changes(Tier& tier) {
  for (const HealthChange& change : tier.health.take_changes()) {
    tier.dirty = true;
    log_change(tier, change);
    if (change.verdict.phase != HealthPhase::kEjected) continue;
    // What real flows met a check may confirm, and then the backend is down.
    for (std::size_t i = 0; i < tier.members.size(); ++i) {
      if (tier.members[i].key == 0 || tier.health.member(i).endpoint != change.endpoint) continue;
      checker_->hurry(tier.members[i].key);
    }
  }
}

void HealthWatch::log_change(const Tier& tier, const HealthChange& change) {
  if (lines_ >= kLinesAStep) {
    ++lines_left_out_;
    return;
  }
  ++lines_;
  const bool up =
      change.verdict.phase == HealthPhase::kUp || change.verdict.phase == HealthPhase::kSlowStart;
  parts_.log.log(up ? spdlog::level::info : spdlog::level::warn,
                 "{} service={} tier={} backend={} before={} reason=\"{}\"",
                 line_of(change.verdict.phase), tier.config.service, tier_word(tier.config.tier),
                 change.endpoint.text(), phase_word(change.before), change.verdict.why);
}

void HealthWatch::publish_due(std::uint64_t now_ns) {
  std::optional<Error> first;
  for (auto& [name, tier] : tiers_) {
    const bool grows = !tier.told.empty() && now_ns - tier.weights_told_ns >= kWeightsEvery;
    if (!tier.dirty && !grows) continue;
    auto published = publish(tier, now_ns);
    if (!published && !first) first = published.error();
  }
  if (first.has_value() == publish_failed_) return;
  publish_failed_ = first.has_value();
  if (first) {
    parts_.log.error("cannot act on the health of backends reason=\"{}\"", first->message());
  } else {
    parts_.log.info("the health of backends is acted on again");
  }
}

/// Phases at once, steps of weight once a second: each may be a new selection table.
Result<void> HealthWatch::publish(Tier& tier, std::uint64_t now_ns) {
  HealthSink::Verdicts verdicts;
  for (std::size_t i = 0; i < tier.health.size(); ++i) {
    BackendVerdict verdict = tier.health.verdict(i, now_ns);
    if (verdict.phase == HealthPhase::kUp) continue;
    verdicts[tier.health.member(i).endpoint] = std::move(verdict);
  }
  tier.weights_told_ns = now_ns;
  if (!tier.dirty && verdicts == tier.told) return {};
  auto told = parts_.sink.set_health(tier.config.service, tier.config.tier, verdicts);
  if (!told) {
    tier.dirty = true;
    return told.error().within("service '" + tier.config.service + "'");
  }
  tier.told = std::move(verdicts);
  tier.dirty = false;
  return {};
}

void HealthWatch::tell_lateness() {
  const double lateness = checker_->lateness();
  const bool late = is_late_ ? lateness > kLate / 10 : lateness > kLate;
  if (late == is_late_) return;
  is_late_ = late;
  if (late) {
    parts_.log.warn("there are more checks than can be made; intervals are longer backends={}",
                    places_.size());
  } else {
    parts_.log.info("checks are made in time again backends={}", places_.size());
  }
}

std::vector<HealthView> HealthWatch::view(const std::string& service) const {
  const std::uint64_t now_ns = parts_.clock.now_ns();
  std::vector<HealthView> views;
  for (const auto& [name, tier] : tiers_) {
    if (!service.empty() && name.first != service) continue;
    for (std::size_t i = 0; i < tier.health.size(); ++i) {
      views.push_back({name.first, name.second, tier.health.member(i).endpoint,
                       tier.health.verdict(i, now_ns), tier.health.held(i),
                       tier.members[i].last_check, tier.members[i].last_check_ns});
    }
  }
  return views;
}

}  // namespace flare
