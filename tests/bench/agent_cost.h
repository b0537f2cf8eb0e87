// What the agent pays for its own work: building a table, changing a service, reading counters.
#pragma once

#include <string>
#include <vector>

#include "world.h"

namespace flare::bench {

struct AgentCost {
  std::string key;  ///< stable name in bench.json
  std::string title;
  double ns = 0;  ///< wall clock, of one run of the operation
  std::uint64_t runs = 0;
};

/// By Google Benchmark, on the maps of `world`. Leaves table and service of id 0 changed.
std::vector<AgentCost> measure_agent(World& world);

}  // namespace flare::bench
