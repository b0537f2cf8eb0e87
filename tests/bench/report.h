// What flare_bench found, as a table for people and as bench.json (keys: docs/performance.md).
#pragma once

#include <filesystem>
#include <iosfwd>
#include <string>
#include <vector>

#include "agent_cost.h"
#include "machine.h"
#include "measure.h"

namespace flare::bench {

struct Report {
  Machine machine;
  std::string commit;  ///< as given on the command line; empty: unknown
  std::uint32_t rounds = 0;
  int cpu = 0;
  bool precedence = false;
  std::vector<Outcome> outcomes;
  std::vector<AgentCost> agent;
};

void print_table(std::ostream& out, const Report& report);
/// Makes the folder where it is missing. Throws std::runtime_error where it cannot write.
void write_json(const std::filesystem::path& path, const Report& report);

}  // namespace flare::bench
