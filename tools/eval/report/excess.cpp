#include "eval/report/excess.h"

#include <algorithm>

namespace flare::eval {
namespace {

constexpr double kChanceSeconds = 0.1;

}  // namespace

std::optional<std::size_t> excess_start(std::span<const lab::RequestRecord> records,
                                        double capacity_rps) {
  double excess = 0;
  std::size_t began = 0;
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (i > 0) {
      const auto gap = static_cast<double>(records[i].intended_ns - records[i - 1].intended_ns);
      excess = std::max(0.0, excess - capacity_rps * gap / 1e9);
    }
    if (excess == 0) began = i;
    excess += 1;
    if (excess >= capacity_rps * kChanceSeconds) return began;
  }
  return std::nullopt;
}

std::optional<FirstSpill> first_spill_after(std::span<const lab::RequestRecord> records,
                                            std::size_t began, double capacity_rps) {
  for (std::size_t i = began; i < records.size(); ++i) {
    if (records[i].tier != lab::Tier::kServerless) continue;
    const std::int64_t took_ns = records[i].intended_ns - records[began].intended_ns;
    FirstSpill spill;
    spill.second = static_cast<double>(records[i].intended_ns) / 1e9;
    spill.rank = i - began + 1;
    spill.excess =
        static_cast<double>(spill.rank) - capacity_rps * static_cast<double>(took_ns) / 1e9;
    return spill;
  }
  return std::nullopt;
}

}  // namespace flare::eval
