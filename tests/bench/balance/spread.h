// How exactly new flows follow the weights of their backends.
#pragma once

#include <cstdint>
#include <vector>

#include "bench/world.h"
#include "bound.h"

namespace flare::bench {

struct SpreadPlan {
  std::uint64_t seed = 1;
  std::uint32_t backends = 100;
  std::uint32_t weight_max = 100;
  std::uint32_t flows = 1'000'000;
};

/// Deviations are in standard deviations of a binomial count.
struct Deviation {
  double largest = 0;
  std::uint32_t backend = 0;  ///< whose it is
  std::uint32_t beyond_3 = 0;
};

struct Spread {
  Family family = Family::kV4;
  std::uint64_t flows = 0;
  std::uint32_t slots = 0;
  double table_error = 0;  ///< largest difference of part of slots and part of weight, of the tier
  Deviation of_table;      ///< flows against the part of slots
  Deviation of_weight;     ///< flows against the part of weight
  double chi_square = 0;   ///< of all shares against the table, backends - 1 degrees of freedom
  std::vector<Bound> bounds;
};

Spread measure_spread(World& world, Family family, const SpreadPlan& plan);

}  // namespace flare::bench
