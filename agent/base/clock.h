// Time as an argument: the parts take a Clock, so that a test can hand them its own.
#pragma once

#include <chrono>
#include <cstdint>

namespace flare {

/// In the unit of clocks and maps. `duration` is not negative.
inline std::uint64_t to_ns(std::chrono::nanoseconds duration) {
  return static_cast<std::uint64_t>(duration.count());
}

/// Nanoseconds of CLOCK_MONOTONIC, the clock that the datapath reads by bpf_ktime_get_ns().
class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::uint64_t now_ns() const = 0;
};

class MonotonicClock final : public Clock {
 public:
  std::uint64_t now_ns() const override;
};

}  // namespace flare
