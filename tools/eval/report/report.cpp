#include "eval/report/report.h"

#include <set>

#include "report/json_view.h"

namespace flare::eval {
namespace {

std::string text_of_json(const nlohmann::json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null()) return "-";
  if (value.is_number_float()) {
    char text[40];
    std::snprintf(text, sizeof(text), "%.6g", value.get<double>());
    return text;
  }
  return value.dump();
}

std::vector<std::string> texts_of(const nlohmann::json& list) {
  std::vector<std::string> texts;
  for (const nlohmann::json& value : list) texts.push_back(text_of_json(value));
  return texts;
}

Result<Table> table_of(const lab::JsonView& from, const nlohmann::json& raw,
                       const std::string& where) {
  Table table = {
      "sim." + from["id"].word(), from["title"].word(), from["note"].word_or(""), {}, {}};
  const auto columns = from["columns"].items();
  const auto rows = from["rows"].items();
  if (columns.empty() || !raw.contains("rows") || !raw["rows"].is_array()) return table;
  table.columns = texts_of(raw["columns"]);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].items().size() != columns.size()) {
      return Error(where + ".rows[" + std::to_string(i) + "]' has not as many cells as columns");
    }
    table.rows.push_back(texts_of(raw["rows"][i]));
  }
  return table;
}

std::vector<Section> sections_of(const Source& source) {
  std::vector<Section> sections;
  std::set<std::string> seen;
  for (const Cell& cell : source.results.all_cells()) {
    if (!seen.insert(cell.group()).second) continue;
    sections.push_back({cell, group_tables(source, cell), group_plots(source, cell)});
  }
  return sections;
}

}  // namespace

Result<Simulation> read_simulation(const std::filesystem::path& path) {
  auto document = lab::JsonDocument::read(path);
  if (!document) return document.error();
  const lab::JsonView root = document->root();
  if (root["schema"].word_or("") != "flare-sim/1") {
    return Error(path.string() + ": key 'schema' is not flare-sim/1");
  }
  Simulation simulation;
  simulation.commit = root["commit"].word_or("not told");
  const nlohmann::json& raw = document->json();
  simulation.seeds = raw.contains("seeds") ? raw["seeds"].dump() : "not told";
  std::size_t index = 0;
  for (const lab::JsonView& from : root["tables"].items()) {
    const std::string where = path.string() + ": key 'tables[" + std::to_string(index) + "]";
    auto table = table_of(from, raw["tables"][index++], where);
    if (const auto problem = document->problem()) return *problem;
    if (!table) return table.error();
    simulation.tables.push_back(*std::move(table));
  }
  if (const auto problem = document->problem()) return *problem;
  return simulation;
}

Table targets_table(const std::vector<Target>& targets) {
  Table table = {
      "targets",
      "What the evaluation must show",
      "A row for each cell that is asked. A figure is the median run's, least and most of "
      "the valid runs in brackets. Fails where a cell fails.",
      {"id", "measure", "the paper", "target", "cell", "measured", "verdict"},
      {}};
  for (const Target& target : targets) {
    bool first = true;
    for (const Part& part : target.parts) {
      table.rows.push_back({target.id, first ? target.measure : "", first ? target.paper : "",
                            first ? target.ours : "", part.cell.name(), part.words,
                            std::string(to_word(part.verdict))});
      first = false;
    }
  }
  return table;
}

std::vector<std::string> definitions() {
  return {
      ("A request belongs to the second in which it was to start, and its latency runs from that "
       "moment. "
       "The lead-in before second 0 is left out."),
      ("P50 and P95 are nearest-rank over all requests of a bin, without a histogram; what failed "
       "is "
       "infinitely late. With 500 requests in a second the P95's rank is uncertain by one "
       "percentile "
       "point, and a peak is the worst of many seconds, so bins of 5 s are given, too."),
      ("A violation is a second whose percentile is over the objective; the longest run of them "
       "bridges "
       "gaps of at most 2 s. Recovery is from the onset to the first second from which ten are "
       "under."),
      ("Of several runs the one with the median peak P95 is reported (of an even number the upper "
       "of the "
       "two in the middle); the least and the most of the valid runs stand in brackets. Figures of "
       "two "
       "cells compare their median runs; least and most are over equal repetitions."),
      ("The onset is the first second whose mean over 10 s is more than 1.35 times the calm load, "
       "from "
       "the trace and not from the run."),
      ("The excess rises by one with each arrival and falls by the true capacity, never below 0. "
       "It "
       "is "
       "more than chance once it holds a tenth of a second of capacity; it began with the first "
       "arrival "
       "after it was last 0."),
      ("Cost (a), the paper's: the nodes at second 0 for an hour, and what functions cost in the "
       "run. The "
       "spill happens in the window around the onset, so the hour's serverless cost is that of the "
       "run; the table says how much was still spilled in its last 10 s. Cost (b): every "
       "node-second of "
       "the run, and what functions cost in it. Spilled requests that failed are not known to have "
       "been "
       "billed and cost nothing here.")};
}

Report make_report(Results results, std::optional<Simulation> simulation) {
  Report report;
  report.results = std::move(results);
  report.simulation = std::move(simulation);
  const Source source = {report.results, report.prices};
  report.targets = targets_of(source.results, source.prices);
  report.facts = facts_table(source.results);
  report.missing = missing_table(source.results);
  report.paper = paper_tables(source);
  report.sections = sections_of(source);
  report.price_list = prices_table(source.prices);
  report.runs = runs_table(source.results);
  return report;
}

}  // namespace flare::eval
