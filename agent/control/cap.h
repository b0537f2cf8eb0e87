// The cap policy: how many requests the VM tier may have in flight, and how fast it is learned to
// be. No clock, no map.
#pragma once

#include <cstdint>

namespace flare {

/// Requests in flight at which new flows spill: 1.5 for each worker, rounded up, so that a request
/// waits for half a service time at most. 0 (no cap) where `workers` is 0.
std::uint32_t cap_of(std::uint32_t workers);

/// The rate of the VM tier's bucket, as a multiple of the capacity: the bucket stands behind the
/// cap and must not come before it.
constexpr double kBucketHeadroom = 1.05;

/// What one interval saw of the VM tier.
struct CapInput {
  std::uint64_t requests = 0;      ///< begun
  std::uint64_t busy = 0;          ///< of these, while as many as there are workers were in flight
  std::uint64_t answers = 0;       ///< requests answered
  std::uint64_t early_bucket = 0;  ///< flows the bucket refused while workers were idle
  std::uint64_t elapsed_ns = 0;
};

/// The capacity believed after an interval, in requests per 1,000 s; 0 is unknown. Where more than
/// 0.8 of the arrivals found all workers busy, the tier is saturated and its answers are its
/// capacity: the estimate moves half the way there. Where the bucket refused before the workers
/// were busy, it was too low: 5 % more. Else it stays.
std::uint64_t learned_capacity_mrps(std::uint64_t believed_mrps, const CapInput& input);

}  // namespace flare
