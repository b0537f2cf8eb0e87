// The VM tier: pods that work first come first served on a few slots each.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "eval/sim/config.h"

namespace flare::eval {

/// One G/G/c queue. When a request is over is known when it comes, by the recursion of Kiefer and
/// Wolfowitz: it starts at the slot that is free first. No event is needed inside.
class PodQueue {
 public:
  PodQueue(std::uint32_t id, int slots)
      : id_(id), free_ns_(static_cast<std::size_t>(slots), kLong) {}

  std::uint32_t id() const { return id_; }

  /// Takes `work_ns` of work that comes now; returns when it is done.
  std::int64_t add(std::int64_t now_ns, std::int64_t work_ns) {
    auto first = std::min_element(free_ns_.begin(), free_ns_.end());
    *first = std::max(now_ns, *first) + work_ns;
    given_ns_ += work_ns;
    return *first;
  }

  /// Slot time worked until now. A slot works without a break until it is free.
  std::int64_t worked_ns(std::int64_t now_ns) const {
    std::int64_t worked = given_ns_;
    for (const std::int64_t free : free_ns_) worked -= std::max<std::int64_t>(0, free - now_ns);
    return worked;
  }

  /// Part of the slots that was busy since the call before.
  double cpu_since(std::int64_t before_ns, std::int64_t now_ns) {
    const std::int64_t worked = worked_ns(now_ns);
    const double part = static_cast<double>(worked - seen_ns_) /
                        (static_cast<double>(now_ns - before_ns) * static_cast<double>(slots()));
    seen_ns_ = worked;
    return std::min(1.0, part);
  }

  std::size_t slots() const { return free_ns_.size(); }

  std::int64_t in_flight = 0;  ///< as the datapath counts it

 private:
  static constexpr std::int64_t kLong = INT64_MIN / 2;  ///< free since long before

  std::uint32_t id_;
  std::vector<std::int64_t> free_ns_;
  std::int64_t given_ns_ = 0;
  std::int64_t seen_ns_ = 0;
};

/// The pods that take new connections, and those that took some before.
class PodTier {
 public:
  explicit PodTier(const MachineConfig& config);

  /// The datapath's choice for a flow of this hash: an index into the pods.
  std::uint32_t choose(std::uint64_t hash) const;
  /// What a request of this work takes now.
  std::int64_t work_ns(std::uint64_t base_ns, std::int64_t now_ns) const;

  PodQueue& pod(std::uint32_t index) { return pods_[index]; }
  bool is_open(std::uint32_t index) const;
  const std::vector<std::uint32_t>& open() const { return open_; }
  void open_pod(std::uint32_t id);
  void close_pod(std::uint32_t id);

 private:
  MachineConfig config_;
  std::vector<PodQueue> pods_;
  std::vector<std::uint32_t> open_;
};

}  // namespace flare::eval
