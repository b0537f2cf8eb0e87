#include "health/backend_health.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"

namespace flare {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kSlowStartPercent = 10;  ///< where slow start begins
constexpr std::uint32_t kDoublingsMost = 16;

/// How long the `number`-th ejection in a row lasts.
std::uint64_t eject_ns(const HealthConfig& health, std::uint32_t number) {
  const std::uint64_t base = to_ns(health.eject_time);
  const std::uint64_t most = std::max(base, to_ns(kEjectTimeMost));
  const std::uint32_t doublings = std::min(number - 1, kDoublingsMost);
  return std::min(base << doublings, most);
}

/// Linear from 10 % to the whole, in steps of a second.
std::uint32_t slow_start_weight(std::uint64_t up_ns, std::uint64_t slow_start_ns) {
  const std::uint64_t passed_ns = up_ns / kSecond * kSecond;
  const std::uint64_t percent =
      kSlowStartPercent + (100 - kSlowStartPercent) * passed_ns / slow_start_ns;
  return static_cast<std::uint32_t>(kFullWeight * std::min<std::uint64_t>(percent, 100) / 100);
}

}  // namespace

std::string_view phase_word(HealthPhase phase) {
  switch (phase) {
    case HealthPhase::kUp:
      return "up";
    case HealthPhase::kSlowStart:
      return "slow-start";
    case HealthPhase::kTrial:
      return "trial";
    case HealthPhase::kEjected:
      return "ejected";
    case HealthPhase::kDown:
      return "down";
  }
  return "?";
}

BackendHealth::BackendHealth(Start start)
    : phase_(start == Start::kDown ? HealthPhase::kDown : HealthPhase::kUp),
      why_(start == Start::kDown ? "was down when flared started" : ""),
      known_(start != Start::kUnknown) {}

bool BackendHealth::enter(HealthPhase phase, const std::string& why, std::uint64_t now_ns) {
  phase_ = phase;
  why_ = why;
  since_ns_ = now_ns;
  returned_ = false;
  return true;
}

bool BackendHealth::come_up(std::uint64_t now_ns) {
  enter(HealthPhase::kUp, "", now_ns);
  returned_ = true;
  return true;
}

bool BackendHealth::check_passed(const HealthConfig& health, const std::string& /*why*/,
                                 std::uint64_t now_ns) {
  const bool first = !std::exchange(known_, true);
  fails_ = 0;
  passes_ = std::min(passes_ + 1, health.rise);
  if (phase_ != HealthPhase::kDown) return false;
  if (!first && passes_ < health.rise) return false;
  return come_up(now_ns);
}

bool BackendHealth::check_failed(const HealthConfig& health, const std::string& why,
                                 std::uint64_t now_ns) {
  const bool first = !std::exchange(known_, true);
  passes_ = 0;
  fails_ = std::min(fails_ + 1, health.fall);
  if (phase_ == HealthPhase::kDown) {
    why_ = why;
    return false;
  }
  if (!first && fails_ < health.fall) return false;
  return enter(HealthPhase::kDown, why, now_ns);
}

bool BackendHealth::eject(const HealthConfig& health, const std::string& why,
                          std::uint64_t now_ns) {
  if (phase_ == HealthPhase::kDown || phase_ == HealthPhase::kEjected) return false;
  const bool long_up = is_up() && now_ns - since_ns_ >= kForgetEjections * to_ns(health.eject_time);
  ejections_ = long_up ? 1 : ejections_ + 1;
  ejected_to_ns_ = now_ns + eject_ns(health, ejections_);
  return enter(HealthPhase::kEjected, why, now_ns);
}

bool BackendHealth::step(std::uint64_t now_ns) {
  if (phase_ != HealthPhase::kEjected || now_ns < ejected_to_ns_) return false;
  return enter(HealthPhase::kTrial, why_, now_ns);
}

bool BackendHealth::release(std::uint64_t now_ns) {
  if (phase_ != HealthPhase::kEjected) return false;
  return enter(HealthPhase::kTrial, why_, now_ns);
}

bool BackendHealth::trial_passed(std::uint64_t now_ns) {
  return phase_ == HealthPhase::kTrial && come_up(now_ns);
}

bool BackendHealth::forget_checks(std::uint64_t now_ns) {
  known_ = false;
  passes_ = fails_ = 0;
  return phase_ == HealthPhase::kDown && come_up(now_ns);
}

bool BackendHealth::forget_ejection(std::uint64_t now_ns) {
  ejections_ = 0;
  const bool ejected = phase_ == HealthPhase::kEjected || phase_ == HealthPhase::kTrial;
  return ejected && come_up(now_ns);
}

BackendVerdict BackendHealth::verdict(const HealthConfig& health, Protocol protocol,
                                      std::uint64_t now_ns) const {
  BackendVerdict verdict;
  verdict.phase = phase_;
  verdict.why = why_;
  verdict.since_ns = since_ns_;
  const std::uint64_t slow_start_ns = to_ns(health.slow_start);
  switch (phase_) {
    case HealthPhase::kUp:
      if (returned_ && now_ns - since_ns_ < slow_start_ns) {
        verdict.phase = HealthPhase::kSlowStart;
        verdict.weight = slow_start_weight(now_ns - since_ns_, slow_start_ns);
      }
      break;
    case HealthPhase::kTrial:
      verdict.weight = kTrialWeight;
      break;
    case HealthPhase::kEjected:
      verdict.state = protocol == Protocol::kUdp ? FLARE_BACKEND_DOWN : FLARE_BACKEND_DRAINING;
      break;
    case HealthPhase::kSlowStart:
    case HealthPhase::kDown:
      verdict.state = FLARE_BACKEND_DOWN;
      break;
  }
  return verdict;
}

}  // namespace flare
