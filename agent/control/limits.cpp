#include "control/limits.h"

#include <algorithm>
#include <cmath>

namespace flare {
namespace {

constexpr double kNsPerSecond = 1e9;
constexpr double kMbPerGb = 1024;
constexpr std::uint32_t kBucketTokensMin = 33;
constexpr double kBucketSeconds = 0.02;
constexpr double kMoveSeconds = 0.1;

}  // namespace

std::uint32_t default_bucket_tokens(double capacity_rps) {
  const double tokens = std::ceil(capacity_rps * kBucketSeconds);
  return std::max(kBucketTokensMin, static_cast<std::uint32_t>(std::min(tokens, 1e9)));
}

RateLimit bucket_limit(double capacity_rps, std::optional<std::uint32_t> tokens) {
  if (!(capacity_rps > 0)) return {};
  const double interval = std::max(1.0, std::round(kNsPerSecond / capacity_rps));
  const auto interval_ns = static_cast<std::uint64_t>(interval);
  return {interval_ns, interval_ns * tokens.value_or(default_bucket_tokens(capacity_rps))};
}

RateLimit spend_limit(const SpendConfig& spend) {
  if (!(spend.per_second > 0)) return {};
  const auto interval_ns = static_cast<std::uint64_t>(std::ceil(kNsPerSecond / spend.per_second));
  return {interval_ns, interval_ns * spend.burst};
}

RateLimit prefix_limit(const SpendConfig& spend) {
  const RateLimit whole = spend_limit(spend);
  if (whole.interval_ns == 0 || spend.prefix_share >= 1) return {};
  const auto interval_ns = static_cast<std::uint64_t>(
      std::ceil(static_cast<double>(whole.interval_ns) / spend.prefix_share));
  return {interval_ns, std::max(interval_ns, whole.depth_ns)};
}

RateLimit ramp_limit(const SpendConfig& spend) {
  if (spend.ramp_instances == 0) return {};
  const auto every = std::chrono::nanoseconds(spend.ramp_every).count();
  const auto interval_ns = static_cast<std::uint64_t>(every) / spend.ramp_instances;
  return {interval_ns, interval_ns * spend.ramp_instances};
}

RateLimit move_limit(double per_second) {
  if (!(per_second > 0)) return {};
  const auto interval_ns =
      static_cast<std::uint64_t>(std::max(1.0, std::ceil(kNsPerSecond / per_second)));
  const double at_once = std::max(1.0, std::round(per_second * kMoveSeconds));
  return {interval_ns, interval_ns * static_cast<std::uint64_t>(at_once)};
}

std::uint64_t price_nanousd(const PriceConfig& price) {
  const double seconds = std::ceil(price.duration_ms) / 1000;
  const double usd = price.memory_mb / kMbPerGb * seconds * price.usd_per_gb_second +
                     price.usd_per_million_requests / 1e6;
  return static_cast<std::uint64_t>(std::llround(usd * 1e9));
}

double worst_hour_usd(const SpendConfig& spend, const PriceConfig& price) {
  const double flows =
      std::min(spend.per_second * 3600 + spend.burst, static_cast<double>(spend.per_hour));
  return flows * static_cast<double>(price_nanousd(price)) / 1e9;
}

}  // namespace flare
