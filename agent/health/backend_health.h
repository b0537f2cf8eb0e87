// One backend's health over time: a state machine without clock, socket or map.
//
//          checks fail (fall)                 a passive signal
//   up ─────────────────────────→ down    up ──────────────────→ ejected
//   ↑ ↑    checks pass (rise)      │       ↑                      │   ↑
//   │ └────────────────────────────┘       │ enough good flows    │   │ a bad one: twice as long
//   │                                      └──────── trial ←──────┘   │
//   slow start on every way back to up               └────────────────┘
//
// Active checks alone can say that a backend is dead. Passive signals take new flows away and leave
// it its open ones, as they may be wrong; only of UDP, where nothing is reset, they count as dead.
// An ejected backend comes back by its trial alone, checks or not: real flows saw what checks did
// not. A check that passes ends no ejection; checks that fail make an ejected backend down.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "health/verdict.h"
#include "model/address.h"
#include "model/config.h"

namespace flare {

/// Part of its weight (of kFullWeight) that a backend on trial gets.
constexpr std::uint32_t kTrialWeight = kFullWeight / 16;
/// An ejection lasts eject_time, twice that the next time, and so on up to this (or eject_time).
constexpr std::chrono::milliseconds kEjectTimeMost{300'000};
/// After so many eject_times without an ejection the doubling starts anew.
constexpr std::uint64_t kForgetEjections = 10;

class BackendHealth {
 public:
  /// What was known when the watch began: an earlier agent's verdict stands until checks change it.
  enum class Start : std::uint8_t {
    kUnknown,  ///< a new backend: taken for up, and the first check decides at once
    kUp,
    kDown,
  };

  explicit BackendHealth(Start start);

  /// Each of these returns whether the phase has changed. Those of passive signals change nothing
  /// while checks say that it is down.
  bool check_passed(const HealthConfig& health, const std::string& why, std::uint64_t now_ns);
  bool check_failed(const HealthConfig& health, const std::string& why, std::uint64_t now_ns);
  bool eject(const HealthConfig& health, const std::string& why, std::uint64_t now_ns);
  /// An ejection that has lasted long enough becomes a trial.
  bool step(std::uint64_t now_ns);
  /// Ends an ejection before its time: nothing else is left.
  bool release(std::uint64_t now_ns);
  bool trial_passed(std::uint64_t now_ns);

  /// No active checks any more: what they said counts no longer.
  bool forget_checks(std::uint64_t now_ns);
  /// No passive signals any more.
  bool forget_ejection(std::uint64_t now_ns);

  HealthPhase phase() const { return phase_; }
  bool is_up() const { return phase_ == HealthPhase::kUp; }
  std::uint64_t since_ns() const { return since_ns_; }
  std::uint32_t ejections() const { return ejections_; }

  /// Slow start is a matter of weight: its phase is up. Steps of a second.
  BackendVerdict verdict(const HealthConfig& health, Protocol protocol, std::uint64_t now_ns) const;

 private:
  bool enter(HealthPhase phase, const std::string& why, std::uint64_t now_ns);
  bool come_up(std::uint64_t now_ns);

  HealthPhase phase_ = HealthPhase::kUp;
  std::string why_;
  std::uint64_t since_ns_ = 0;
  bool known_ = false;  ///< a check, or an earlier agent, has decided
  std::uint32_t passes_ = 0;
  std::uint32_t fails_ = 0;
  std::uint32_t ejections_ = 0;      ///< without a long time between them
  std::uint64_t ejected_to_ns_ = 0;  ///< while ejected: when the trial begins
  bool returned_ = false;            ///< up since `since_ns_`, after it was not
};

}  // namespace flare
