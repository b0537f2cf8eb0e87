// When a service's spill starts and ends: one log line each, with the numbers behind it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "model/config.h"
#include "service/service_control.h"

namespace flare {

/// Follows one service. A spill ends when nothing was spilled for five seconds.
class SpillWatch {
 public:
  /// Takes over a spill that an earlier agent saw start.
  void resume(std::uint64_t since_ns) { since_ns_ = quiet_since_ns_ = since_ns; }

  /// Returns the line to log where the spill (or, under observe, what would be one) starts or ends.
  std::optional<std::string> step(const ServiceConfig& service, const ControlOutcome& outcome,
                                  std::uint64_t applied_share, std::uint64_t now_ns);

  /// Since when flows are spilled; 0 where none are, or none would be but for observe.
  std::uint64_t since_ns() const { return observed_ ? 0 : since_ns_; }

 private:
  std::string start_line(const ServiceConfig& service, const ControlOutcome& outcome,
                         std::uint64_t applied_share) const;
  std::string end_line(const ServiceConfig& service, std::uint64_t now_ns) const;

  std::uint64_t since_ns_ = 0;
  std::uint64_t quiet_since_ns_ = 0;
  std::uint64_t flows_ = 0;
  bool observed_ = false;
};

}  // namespace flare
