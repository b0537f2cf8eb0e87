// When a service's spill starts and ends: one log line each, with the numbers behind it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "model/config.h"
#include "service/service_control.h"

namespace flare {

/// A start or an end: the line to log, and the entry of `spill_events` without number, service id
/// and requests in flight.
struct SpillTurn {
  std::string line;
  flare_spill_event event{};
};

/// Follows one service. A spill ends when nothing was spilled for five seconds.
class SpillWatch {
 public:
  /// Takes over a spill that an earlier agent saw start.
  void resume(std::uint64_t since_ns) { since_ns_ = quiet_since_ns_ = since_ns; }

  /// Returns what to tell where the spill (or, under observe, what would be one) starts or ends.
  std::optional<SpillTurn> step(const ServiceConfig& service, const ControlOutcome& outcome,
                                std::uint64_t applied_share, std::uint64_t now_ns);

  /// Since when flows are spilled; 0 where none are, or none would be but for observe.
  std::uint64_t since_ns() const { return observed_ ? 0 : since_ns_; }

 private:
  flare_spill_event event(flare_spill_event_kind kind, const ServiceConfig& service,
                          const ControlOutcome& outcome, std::uint64_t applied_share,
                          std::uint64_t now_ns) const;
  std::string start_line(const ServiceConfig& service, const ControlOutcome& outcome,
                         std::uint64_t applied_share) const;
  std::string end_line(const ServiceConfig& service, std::uint64_t now_ns) const;

  std::uint64_t since_ns_ = 0;
  std::uint64_t quiet_since_ns_ = 0;
  std::uint64_t flows_ = 0;
  bool observed_ = false;
};

}  // namespace flare
