// A limit on how often something may happen: so many at once, refilled evenly over a time.
#pragma once

#include <algorithm>
#include <cstdint>

namespace flare::lab {

/// Times are nanoseconds of one clock that only grows; `count * period_ns` must fit 64 bits.
class TokenBucket {
 public:
  /// Holds `count` tokens, all there at the start, and gets as many in `period_ns`. A count of 0
  /// is no limit.
  TokenBucket(std::uint64_t count, std::uint64_t period_ns, std::uint64_t now_ns)
      : count_(count), period_ns_(period_ns), level_(count * period_ns), since_ns_(now_ns) {}

  /// Takes a token. False: there is none yet.
  bool take(std::uint64_t now_ns) {
    if (count_ == 0) return true;
    const std::uint64_t passed = std::min(now_ns - since_ns_, period_ns_);
    const std::uint64_t room = count_ * period_ns_ - level_;
    level_ += std::min(passed * count_, room);
    since_ns_ = now_ns;
    if (level_ < period_ns_) return false;
    level_ -= period_ns_;
    return true;
  }

 private:
  std::uint64_t count_;
  std::uint64_t period_ns_;
  std::uint64_t level_;  ///< in tokens times period_ns, so that nothing is rounded
  std::uint64_t since_ns_;
};

}  // namespace flare::lab
