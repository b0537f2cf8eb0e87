#include "report/table.h"

#include <algorithm>
#include <cstdio>
#include <functional>

namespace flare::lab {
namespace {

constexpr int kNameWidth = 44;
constexpr int kColumnWidth = 16;

template <typename... Args>
std::string text(const char* format, Args... args) {
  char line[400];
  std::snprintf(line, sizeof(line), format, args...);
  return line;
}

std::string count(std::uint64_t value) { return std::to_string(value); }

std::string milliseconds(const std::optional<double>& value) {
  return value ? text("%.0f ms", *value) : "no answer";
}

using Cell = std::function<std::string(const RunSummary&, const Findings&)>;

struct Row {
  std::string name;
  Cell cell;
};

std::vector<Row> rows_for(const Terms& terms) {
  const std::string objective = text("%.0f ms", terms.objective_ms);
  return {
      {"requests", [](const auto& run, const auto&) { return count(run.requests); }},
      {"peak P50, of a second",
       [](const auto& run, const auto&) { return milliseconds(run.peak_p50_ms); }},
      {"peak P95, of a second",
       [](const auto& run, const auto&) { return milliseconds(run.peak_p95_ms); }},
      {"seconds with P50 over " + objective,
       [](const auto& run, const auto&) { return std::to_string(run.seconds_p50_over); }},
      {"seconds with P95 over " + objective,
       [](const auto& run, const auto&) { return std::to_string(run.seconds_p95_over); }},
      {"requests over " + objective,
       [](const auto& run, const auto&) { return count(run.over_objective); }},
      {"failed requests", [](const auto& run, const auto&) { return count(run.failed); }},
      {"requests spilled", [](const auto& run, const auto&) { return count(run.serverless); }},
      {"true excess over capacity (1)",
       [](const auto&, const auto& found) { return text("%.0f", found.excess); }},
      {"spilled / true excess",
       [](const auto&, const auto& found) {
         return found.spilled_to_excess ? text("%.2f", *found.spilled_to_excess) : std::string("-");
       }},
      {"spilled in the calm part",
       [](const auto&, const auto& found) { return count(found.spilled_calm); }},
      {"Lambda price of the spilled (2)",
       [](const auto&, const auto& found) { return text("%.4f USD", found.usd); }},
      {"generator's own lateness, p99",
       [](const auto& run, const auto&) {
         return text("%.1f ms%s", run.lateness_p99_ms, run.is_void ? " VOID" : "");
       }},
  };
}

std::string line_of(const std::string& name, const std::vector<std::string>& cells) {
  std::string line = text("%-*s", kNameWidth, name.c_str());
  for (const std::string& cell : cells) line += text("%*s", kColumnWidth, cell.c_str());
  return line + "\n";
}

std::string notes_of(const Terms& terms) {
  const Prices& prices = terms.prices;
  return text(
             "(1) the sum over all seconds of max(0, requests - %.0f), counted in that run by\n"
             "    intended start, on both tiers\n",
             terms.capacity_rps) +
         text(
             "(2) AWS Lambda x86: %.10f USD per GB-s x %.4f GB (1,769 MB: one vCPU) x service\n"
             "    time, each rounded up to 1 ms, + %.2f USD per million requests.\n"
             "    For scale: a t3.xlarge VM costs %.4f USD an hour.\n",
             prices.lambda_usd_per_gb_second, prices.lambda_gb,
             prices.lambda_usd_per_million_requests, prices.vm_usd_per_hour);
}

}  // namespace

std::string table_of(const std::vector<RunSummary>& runs, const Terms& terms) {
  std::vector<std::string> labels;
  std::vector<Findings> findings;
  for (const RunSummary& run : runs) {
    labels.push_back(run.label);
    findings.push_back(findings_of(run, terms));
  }
  std::string table = line_of("", labels);
  table += std::string(kNameWidth + kColumnWidth * runs.size(), '-') + "\n";
  for (const Row& row : rows_for(terms)) {
    std::vector<std::string> cells;
    for (std::size_t i = 0; i < runs.size(); ++i) cells.push_back(row.cell(runs[i], findings[i]));
    table += line_of(row.name, cells);
  }
  return table + notes_of(terms);
}

std::string text_of(const std::vector<Check>& checks) {
  std::string lines;
  for (const Check& check : checks) {
    lines += text("%-8s %s\n", check.holds ? "shown" : "NOT MET", check.sentence.c_str());
  }
  return lines;
}

}  // namespace flare::lab
