// What is thought of a backend, for the part that writes the maps and for the person who asks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "flare/abi.h"

namespace flare {

/// A backend's whole weight, in the unit of BackendVerdict::weight.
constexpr std::uint32_t kFullWeight = 1024;

/// The phases of a backend's health. Words for `flarectl` and the log: phase_word().
enum class HealthPhase : std::uint8_t {
  kUp,
  kSlowStart,  ///< up again, and growing to its weight
  kTrial,      ///< half open: a trickle of new flows shows whether it is well again
  kEjected,    ///< passive signals speak against it
  kDown,       ///< active checks fail
};

std::string_view phase_word(HealthPhase phase);

struct BackendVerdict {
  HealthPhase phase = HealthPhase::kUp;
  /// The least that holds for it: what the configuration, or a hand, says may be more (draining is
  /// more than active, down is more than draining).
  flare_backend_state state = FLARE_BACKEND_ACTIVE;
  std::uint32_t weight = kFullWeight;  ///< part of its weight that it gets, of kFullWeight
  std::string why;                     ///< of a phase other than up: a few words
  std::uint64_t since_ns = 0;          ///< of the phase; 0: from the start on

  bool operator==(const BackendVerdict&) const = default;
};

}  // namespace flare
