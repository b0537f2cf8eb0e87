// How many requests there were at once, summed over time: what averages are made of.
#pragma once

#include <cstddef>
#include <cstdint>

namespace flare::lab {

/// Times are nanoseconds of one clock that only grows. An average between two readings is the
/// difference of their totals, divided by the time between them.
class Gauge {
 public:
  explicit Gauge(std::uint64_t now_ns) : since_ns_(now_ns) {}

  /// `value` held from the last call until `now_ns`.
  void held(std::size_t value, std::uint64_t now_ns) {
    total_ns_ += value * (now_ns - since_ns_);
    since_ns_ = now_ns;
  }

  /// The sum over time, as it is at `now_ns` where `value` has held since the last call.
  std::uint64_t total_ns(std::size_t value, std::uint64_t now_ns) const {
    return total_ns_ + value * (now_ns - since_ns_);
  }

 private:
  std::uint64_t total_ns_ = 0;
  std::uint64_t since_ns_;
};

}  // namespace flare::lab
