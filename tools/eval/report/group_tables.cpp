// The tables of a group: the policies beside each other.
#include <cmath>

#include "eval/report/cost.h"
#include "eval/report/cost_targets.h"
#include "eval/report/table.h"

namespace flare::eval {
namespace {

std::string runs_text(const Source& source, const Cell& cell) {
  const std::size_t valid = source.results.valid_runs(cell).size();
  const std::size_t all = source.results.runs(cell).size();
  std::string text = std::to_string(valid);
  if (all > valid) text += " (" + std::to_string(all - valid) + " void)";
  return text;
}

std::string recovery_text(const Run& run) {
  const Recovery& recovery = run.measures.recovery;
  if (!run.onset_s) return "-";
  if (!recovery.needed) return "never over";
  return recovery.after_s ? std::to_string(*recovery.after_s) + " s" : "not within the run";
}

std::string spill_text(const Run& run) {
  const Measures& found = run.measures;
  if (found.spilled.requests == 0) return "nothing spilled";
  if (!found.excess_began_s) return "no excess";
  if (!found.first_spill) return "none";
  const FirstSpill& spill = *found.first_spill;
  return "arrival " + text_of(static_cast<double>(spill.rank), Unit::kCount) + ", " +
         text_of((spill.second - *found.excess_began_s) * 1000, Unit::kMs);
}

using RowOf = std::vector<std::string> (*)(const Source&, const Cell&);

/// A row for each policy of the group; one that has no valid run says why.
void add_rows(Table& table, const Source& source, const Cell& group, RowOf row_of) {
  for (const Policy& policy : policies()) {
    const Cell cell = group.with_policy(policy.name);
    if (!source.results.planned(cell)) continue;
    std::vector<std::string> row = {std::string(policy.label)};
    if (source.results.median(cell) == nullptr) {
      row.push_back("missing: " + source.results.why_missing(cell));
      row.resize(table.columns.size(), "-");
    } else {
      for (std::string& text : row_of(source, cell)) row.push_back(std::move(text));
    }
    table.rows.push_back(std::move(row));
  }
}

std::vector<std::string> latency_row(const Source& source, const Cell& cell) {
  const auto ours = [&](Unit unit, const Figure& figure) {
    return figure_text(source, cell, unit, figure);
  };
  return {
      runs_text(source, cell),
      ours(Unit::kMs, [](const Run& run) { return run.measures.peak_p50_ms; }),
      ours(Unit::kMs, [](const Run& run) { return run.measures.peak_p95_ms; }),
      ours(Unit::kMs, [](const Run& run) { return run.measures.peak_p95_5s_ms; }),
      ours(Unit::kSeconds, [](const Run& run) { return run.measures.p50_over.seconds; }),
      ours(Unit::kSeconds, [](const Run& run) { return run.measures.p95_over.seconds; }),
      ours(Unit::kSeconds, [](const Run& run) { return run.measures.p95_over.longest; }),
      ours(Unit::kSeconds, [](const Run& run) { return run.measures.p95_over_5s; }),
      ours(Unit::kPercent, [](const Run& run) { return run.measures.over_share; }),
      recovery_text(*source.results.median(cell)),
      ours(Unit::kCount, [](const Run& run) { return static_cast<double>(run.measures.failed); })};
}

/// The VM-only cell that costs are compared with: that of the group, or of the warm spike where the
/// group has none, as neither functions nor what controllers believe matters to it.
Cell base_of(const Results& results, const Cell& cell) {
  Cell base = cell.with_policy("vm-only");
  if (results.median(base) == nullptr) base.functions = "warm";
  if (results.median(base) == nullptr && base.scenario == "believed-20-high") {
    base.scenario = "spike";
  }
  return base;
}

std::string extra_text(const Source& source, const Cell& cell,
                       Spread (*extra)(const Results&, const lab::Prices&, const Cell&,
                                       const Cell&)) {
  const Cell base = base_of(source.results, cell);
  if (cell == base || source.results.median(base) == nullptr) return "-";
  return text_of(extra(source.results, source.prices, cell, base), Unit::kSignedPercent);
}

std::string late_text(const Run& run) {
  return run.over_cap ? text_of(static_cast<double>(*run.over_cap), Unit::kCount) : "-";
}

std::vector<std::string> cost_row(const Source& source, const Cell& cell) {
  const auto ours = [&](Unit unit, const Figure& figure) {
    return figure_text(source, cell, unit, figure);
  };
  const Run& median = *source.results.median(cell);
  // What is spilled the whole hour through is not spilled in the run alone.
  const bool all_hour = cell.policy == "serverless-only";
  return {
      ours(Unit::kCount, [](const Run& run) { return double(run.measures.spilled.requests); }),
      ours(Unit::kPercent,
           [](const Run& run) {
             return double(run.measures.spilled.requests) / double(run.measures.requests);
           }),
      ours(Unit::kCount,
           [](const Run& run) { return double(run.measures.spilled_before.requests); }),
      ours(Unit::kCount, [](const Run& run) { return double(run.measures.spilled_in_tail); }),
      spill_text(median),
      late_text(median),
      ours(Unit::kUsd, [&](const Run& run) { return costs_of(run, source.prices).serverless_usd; }),
      ours(Unit::kUsd, [&](const Run& run) { return costs_of(run, source.prices).nodes_usd; }),
      all_hour ? "see Figure 4" : extra_text(source, cell, extra_by_paper),
      extra_text(source, cell, extra_by_node_seconds)};
}

}  // namespace

std::vector<Table> group_tables(const Source& source, const Cell& cell) {
  Table latency = {
      cell.group() + ".latency",
      "Latency",
      "The run with the median peak P95, least and most of all valid runs in brackets. \"Longest\" "
      "bridges gaps of at most 2 s. The share is of requests from the onset to 150 s after it; "
      "recovery is from the onset.",
      {"policy", "valid runs", "peak P50", "peak P95", "peak P95, bins of 5 s",
       "P50 over objective", "P95 over objective", "longest", "P95 over, bins of 5 s",
       "requests over objective", "recovery", "failed requests"},
      {}};
  add_rows(latency, source, cell, latency_row);
  Table cost = {
      cell.group() + ".cost",
      "Serverless and cost",
      "The first spill is counted from the arrival with which the excess over capacity began; late "
      "connections are those that the datapath left to a full VM tier. (a) is the calm fleet's "
      "hour "
      "and what was spilled, over VM-only's calm hour; it holds where spilling is over when the "
      "run "
      "ends. (b) is every node-second of the run and what was spilled, over those of VM-only. A "
      "group without VM-only is compared with that of the warm spike.",
      {"policy", "serverless requests", "of all", "before the onset", "in the last 10 s",
       "first spill", "late connections", "serverless cost", "nodes, the run", "(a) hour",
       "(b) run"},
      {}};
  add_rows(cost, source, cell, cost_row);
  return {latency, cost};
}

}  // namespace flare::eval
