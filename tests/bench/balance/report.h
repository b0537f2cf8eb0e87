// What flare_balance found, as tables for people and as balance.json (keys: docs/reports.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "disruption.h"
#include "queues.h"
#include "spread.h"

namespace flare::bench {

struct BalanceReport {
  std::string commit;
  std::uint64_t seed = 0;
  SpreadPlan spread_plan;
  QueuePlan queue_plan;
  std::vector<Spread> spreads;
  std::vector<QueueCase> queues;
  std::vector<Disruption> disruptions;
};

void print_spreads(const BalanceReport& report);
void print_queues(const BalanceReport& report);
void print_disruptions(const BalanceReport& report);
/// Prints every bound that does not hold; true where all do.
bool judge(const BalanceReport& report);
/// Makes the folder where it is missing. Throws std::runtime_error where it cannot write.
void write_json(const std::filesystem::path& path, const BalanceReport& report);

}  // namespace flare::bench
