// What spilled requests cost: the one table of prices, printed with every result.
#pragma once

#include <cstdint>
#include <string>

namespace flare::lab {

/// AWS list prices, us-east-1, USD. They change: compare them with the bill before relying on them.
struct Prices {
  double lambda_usd_per_gb_second = 0.0000166667;  ///< x86
  double lambda_usd_per_million_requests = 0.20;
  /// Lambda gives one vCPU for 1,769 MB, so a request that needs one vCPU pays for so many GB.
  double lambda_gb = 1769.0 / 1024.0;
  double vm_usd_per_hour = 0.1670;  ///< t3.xlarge, as in the Flare paper (list price 0.1664)
};

/// The price of `requests` whose durations, each rounded up to a millisecond, sum to `billed_ms`.
inline double lambda_usd(const Prices& prices, std::uint64_t requests, std::uint64_t billed_ms) {
  const double gb_seconds = static_cast<double>(billed_ms) / 1000 * prices.lambda_gb;
  const double fee = static_cast<double>(requests) * prices.lambda_usd_per_million_requests / 1e6;
  return gb_seconds * prices.lambda_usd_per_gb_second + fee;
}

}  // namespace flare::lab
