// Rates and budgets in the words of the datapath's limiters: an interval and a depth in time.
#pragma once

#include <cstdint>
#include <optional>

#include "model/config.h"

namespace flare {

/// One limit of the generic cell rate algorithm: the time of one token, and of all that may be
/// taken at once. An interval of 0 is no limit.
struct RateLimit {
  std::uint64_t interval_ns = 0;
  std::uint64_t depth_ns = 0;
  bool operator==(const RateLimit&) const = default;
};

/// Tokens that a bucket of `capacity_rps` holds unless told: the larger of 33 and 20 ms of rate.
/// 33 keep false spills at 1e-4 under Poisson load of 0.9 of capacity, whatever the rate.
std::uint32_t default_bucket_tokens(double capacity_rps);

/// The VM tier's bucket; no limit where the capacity is 0 (unknown).
RateLimit bucket_limit(double capacity_rps, std::optional<std::uint32_t> tokens);

/// Spilled flows a second. The interval is rounded up: never more than was allowed.
RateLimit spend_limit(const SpendConfig& spend);

/// What of these one prefix of clients may have; no limit where that is all. At least one at once.
RateLimit prefix_limit(const SpendConfig& spend);

/// Growth of concurrent spilled flows; no limit where `ramp_instances` is 0.
RateLimit ramp_limit(const SpendConfig& spend);

/// Connections told to end a second, a tenth of a second's worth at once. An interval of 0 here
/// tells none, where `per_second` is 0.
RateLimit move_limit(double per_second);

/// Of one spilled flow, in 1e-9 USD; the duration is billed in whole milliseconds.
std::uint64_t price_nanousd(const PriceConfig& price);

/// The most that an hour can cost, in USD: what the rate and the hourly budget allow.
double worst_hour_usd(const SpendConfig& spend, const PriceConfig& price);

}  // namespace flare
