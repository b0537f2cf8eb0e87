// The report as JSON: all tables as they are printed, and the figures of every run as numbers.
#include <cmath>
#include <nlohmann/json.hpp>

#include "eval/report/cost.h"
#include "eval/report/report.h"

namespace flare::eval {
namespace {

using Json = nlohmann::ordered_json;

/// What is infinite or not known has no number.
Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json to_json(const Table& table) {
  return {{"id", table.id},
          {"title", table.title},
          {"note", table.note},
          {"columns", table.columns},
          {"rows", table.rows}};
}

Json to_json(const Violation& violation) {
  return {{"seconds", violation.seconds}, {"longest_s", violation.longest}};
}

Json latency_json(const Measures& found) {
  Json recovery = nullptr;
  if (found.recovery.after_s) recovery = *found.recovery.after_s;
  return {{"peak_p50_ms", number(found.peak_p50_ms)},
          {"peak_p95_ms", number(found.peak_p95_ms)},
          {"peak_p95_5s_ms", number(found.peak_p95_5s_ms)},
          {"calm_p50_ms", number(found.pre_p50_ms)},
          {"calm_p95_ms", number(found.pre_p95_ms)},
          {"p50_over", to_json(found.p50_over)},
          {"p95_over", to_json(found.p95_over)},
          {"p95_over_5s_seconds", found.p95_over_5s},
          {"over_at_end", found.over_at_end},
          {"over_share", found.over_share},
          {"window_s", found.window_s},
          {"recovery_needed", found.recovery.needed},
          {"recovery_s", recovery}};
}

Json spill_json(const Measures& found) {
  Json first = nullptr;
  if (found.first_spill) {
    first = {{"second", found.first_spill->second},
             {"rank", found.first_spill->rank},
             {"excess", found.first_spill->excess}};
  }
  return {{"requests", found.spilled.requests},
          {"billed_ms", found.spilled.billed_ms},
          {"before_onset", found.spilled_before.requests},
          {"in_last_10_s", found.spilled_in_tail},
          {"excess_began_s", found.excess_began_s ? Json(*found.excess_began_s) : Json(nullptr)},
          {"first", first}};
}

Json used_json(const Run& run, const lab::Prices& prices) {
  const Costs costs = costs_of(run, prices);
  return {{"requests", run.measures.requests},
          {"failed", run.measures.failed},
          {"latency", latency_json(run.measures)},
          {"serverless", spill_json(run.measures)},
          {"over_cap", run.over_cap ? Json(*run.over_cap) : Json(nullptr)},
          {"cold_starts", run.cold_starts ? Json(*run.cold_starts) : Json(nullptr)},
          {"cost",
           {{"serverless_usd", costs.serverless_usd},
            {"calm_fleet_hour_usd", costs.hour_usd},
            {"nodes_run_usd", costs.nodes_usd},
            {"node_seconds", run.fleet.node_seconds}}}};
}

Json to_json(const Run& run, const lab::Prices& prices) {
  Json json = {{"repetition", run.repetition}, {"seed", run.seed},
               {"valid", run.valid()},         {"void_reasons", run.void_reasons},
               {"concurrent", run.concurrent}, {"load_average", run.load_average},
               {"lateness", nullptr}};
  if (run.lateness) {
    json["lateness"] = {{"p50_ms", run.lateness->p50_ms},
                        {"p99_ms", run.lateness->p99_ms},
                        {"max_ms", run.lateness->max_ms}};
  }
  if (run.valid()) json.update(used_json(run, prices));
  return json;
}

Json to_json(const Part& part) {
  Json json = {{"cell", part.cell.name()},
               {"verdict", to_word(part.verdict)},
               {"words", part.words},
               {"value", nullptr}};
  if (part.spread) {
    json["value"] = number(part.spread->median);
    json["least"] = number(part.spread->least);
    json["most"] = number(part.spread->most);
    json["runs"] = part.spread->runs;
  }
  return json;
}

Json to_json(const Target& target) {
  Json parts = Json::array();
  for (const Part& part : target.parts) parts.push_back(to_json(part));
  return {{"id", target.id},       {"measure", target.measure},
          {"paper", target.paper}, {"target", target.ours},
          {"how", target.how},     {"verdict", to_word(target.verdict())},
          {"parts", parts}};
}

Json cells_json(const Report& report) {
  Json cells = Json::object();
  for (const Cell& cell : report.results.all_cells()) {
    const Run* median = report.results.median(cell);
    Json runs = Json::array();
    for (const Run& run : report.results.runs(cell)) runs.push_back(to_json(run, report.prices));
    cells[cell.name()] = {{"median_repetition", median ? Json(median->repetition) : Json(nullptr)},
                          {"runs", runs}};
  }
  return cells;
}

Json tables_json(const Report& report) {
  Json tables = Json::array();
  for (const Table& table : {report.facts, targets_table(report.targets), report.missing}) {
    tables.push_back(to_json(table));
  }
  for (const Table& table : report.paper) tables.push_back(to_json(table));
  for (const Section& section : report.sections) {
    for (const Table& table : section.tables) tables.push_back(to_json(table));
  }
  if (report.simulation) {
    for (const Table& table : report.simulation->tables) tables.push_back(to_json(table));
  }
  tables.push_back(to_json(report.price_list));
  tables.push_back(to_json(report.runs));
  return tables;
}

}  // namespace

std::string json_of(const Report& report) {
  Json targets = Json::array();
  for (const Target& target : report.targets) targets.push_back(to_json(target));
  const Json json = {{"schema", "flare-eval-report/1"},
                     {"commit", report.results.manifest.commit},
                     {"dirty", report.results.manifest.dirty},
                     {"targets", targets},
                     {"cells", cells_json(report)},
                     {"tables", tables_json(report)}};
  return json.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace flare::eval
