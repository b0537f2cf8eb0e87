#include "eval/report/target_parts.h"

#include <algorithm>

namespace flare::eval {
namespace {

std::vector<Cell> cells_for(const Results& results, const Asked& asked, std::string_view policy) {
  std::vector<Cell> cells;
  for (const std::string_view profile : profiles()) {
    for (const std::string_view clients : {"users", "open"}) {
      if (clients == "open" && !asked.open_too) continue;
      const Cell cell = {std::string(profile),         std::string(asked.scenario),
                         std::string(clients),         "new",
                         std::string(asked.functions), std::string(policy)};
      if (results.planned(cell)) cells.push_back(cell);
    }
  }
  if (cells.empty()) {
    cells.push_back({std::string(profiles().front()), std::string(asked.scenario), "users", "new",
                     std::string(asked.functions), std::string(policy)});
  }
  return cells;
}

}  // namespace

Part judged(const Cell& cell, const Spread& spread, Unit unit, bool holds, std::string words) {
  return {cell, spread, unit, std::move(words), holds ? Verdict::kPass : Verdict::kFail};
}

Part unmeasured(const Cell& cell, std::string why) {
  return {cell, std::nullopt, Unit::kSeconds, std::move(why), Verdict::kNotMeasured};
}

void ask(Target& target, const Results& results, const Asked& asked,
         const std::vector<std::string_view>& others, const Judge& judge, std::string_view policy) {
  for (const Cell& cell : cells_for(results, asked, policy)) {
    std::vector<Cell> needed = {cell};
    for (const std::string_view other : others) needed.push_back(cell.with_policy(other));
    const auto missing = std::ranges::find_if(
        needed, [&](const Cell& one) { return results.median(one) == nullptr; });
    target.parts.push_back(
        missing == needed.end() ? judge(cell) : unmeasured(cell, results.why_missing(*missing)));
  }
}

}  // namespace flare::eval
