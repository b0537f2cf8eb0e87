// The instances of a serverless tier: one request each, started when none is idle, kept for a time.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "backend/service_time.h"
#include "backend/token_bucket.h"

namespace flare::lab {

/// How instances begin and end.
struct InstanceConfig {
  ColdStarts cold_starts;
  std::uint64_t keep_alive_ns = 300'000'000'000;
  std::uint32_t prewarmed = 0;  ///< idle from the start, and subject to keep_alive_ns like others
  std::uint32_t scale_instances = 0;  ///< so many may start in scale_every_ns; 0: no limit
  std::uint64_t scale_every_ns = 10'000'000'000;
};

/// Counts instances; it reads no clock.
class InstancePool {
 public:
  InstancePool(const InstanceConfig& config, std::uint64_t now_ns)
      : config_(config),
        starts_(config.scale_instances, config.scale_every_ns, now_ns),
        idle_since_(config.prewarmed, now_ns) {}

  /// Takes an instance for request `number` and returns how long it takes to start: 0 for a warm
  /// one. Nothing where none is idle and no more may start yet.
  std::optional<std::uint64_t> take(std::uint64_t now_ns, std::uint64_t number) {
    expire(now_ns);
    if (!idle_since_.empty()) {
      idle_since_.pop_back();
      return 0;
    }
    if (!starts_.take(now_ns)) return std::nullopt;
    const std::uint64_t start_ns = config_.cold_starts.of(number);
    if (start_ns > 0) ++cold_starts_;
    return start_ns;
  }

  /// Gives one back. The one used last is taken first, so that the others may expire.
  void give_back(std::uint64_t now_ns) { idle_since_.push_back(now_ns); }

  std::uint64_t cold_starts() const { return cold_starts_; }
  std::size_t idle() const { return idle_since_.size(); }

 private:
  void expire(std::uint64_t now_ns) {
    while (!idle_since_.empty() && now_ns - idle_since_.front() > config_.keep_alive_ns) {
      idle_since_.pop_front();
    }
  }

  InstanceConfig config_;
  TokenBucket starts_;
  std::deque<std::uint64_t> idle_since_;
  std::uint64_t cold_starts_ = 0;
};

}  // namespace flare::lab
