// How long a request works and how long a new instance takes to start for it: drawn from the seed
// and the request's number, so that every run, and every policy under test, sees the same.
#pragma once

#include <cmath>
#include <cstdint>

#include "common/random.h"

namespace flare::lab {

/// A lognormal service time with this mean (not median) and this sigma of its logarithm.
struct ServiceTimes {
  std::uint64_t seed = 1;
  double mean_ms = 73;
  double sigma = 0.30;

  /// The service time of request `number` in nanoseconds.
  std::uint64_t of(std::uint64_t number) const {
    if (mean_ms <= 0) return 0;
    const double location = std::log(mean_ms * 1e6) - sigma * sigma / 2;
    return static_cast<std::uint64_t>(
        std::exp(location + sigma * random_of(seed, number).normal()));
  }
};

/// A lognormal start of an instance with this median (not mean) and this sigma of its logarithm.
struct ColdStarts {
  std::uint64_t seed = 1;
  double median_ms = 0;  ///< 0: an instance is there at once
  double sigma = 0;      ///< 0: each start takes the median

  /// How long the instance for request `number` takes to start, in nanoseconds. It says nothing
  /// about the service time of that request.
  std::uint64_t of(std::uint64_t number) const {
    const double normal = sigma > 0 ? random_of(~seed, number).normal() : 0;
    return static_cast<std::uint64_t>(std::round(median_ms * 1e6 * std::exp(sigma * normal)));
  }
};

}  // namespace flare::lab
