// The same requests to simulated backends, told apart by `select: hash` and by `least`: the real
// program decides, connection by connection, in the order of a simulated clock.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/world.h"
#include "bound.h"

namespace flare::bench {

struct QueuePlan {
  std::uint64_t seed = 1;
  std::uint32_t requests = 200'000;
  double utilisation = 0.8;
  std::uint32_t backends = 100;
};

/// P50, P95, P99 and the most.
using Quantiles = std::array<double, 4>;

/// One way of choosing, on one set of backends.
struct Queueing {
  Quantiles in_flight{};  ///< of a backend, for each unit of its weight
  Quantiles waiting{};    ///< of a request, in mean service times
  double waited = 0;      ///< part of the requests that found no idle worker
};

struct QueueCase {
  std::string title;
  std::vector<std::uint32_t> weights;
  std::uint32_t workers_of_one = 0;  ///< of a weight of 1
  Queueing hash, least;
  Quantiles theory{};  ///< `hash` in flight, by M/M/c; the most: NaN
  std::vector<Bound> bounds;
};

/// Backends of one weight with eight workers each, and of weights 1, 2 and 4 with four for each.
std::vector<QueueCase> measure_queues(World& world, const QueuePlan& plan);

}  // namespace flare::bench
