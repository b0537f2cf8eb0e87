// flare-report: from the summaries of runs to a table, a picture and one JSON of all figures.
#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/text_file.h"
#include "report/findings.h"
#include "report/picture.h"
#include "report/run_summary.h"
#include "report/table.h"

namespace flare::lab {
namespace {

struct Options {
  std::vector<std::string> runs;
  std::string about;
  std::string output;
  std::string picture;
  Terms terms;
};

void describe(CLI::App& app, Options& options) {
  app.add_option("--run", options.runs,
                 "a summary of flare-load; repeatable: first without Flare, then with it")
      ->required();
  app.add_option("--about", options.about, "the window's description, from flare-trace")
      ->required();
  app.add_option("--capacity", options.terms.capacity_rps, "of the VM tier, requests per second")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--objective-ms", options.terms.objective_ms, "for P95")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--output", options.output, "file for all figures (JSON)");
  app.add_option("--picture", options.picture, "file for the picture (SVG)");
}

Result<nlohmann::json> read_json(const std::string& path) {
  std::ifstream file(path);
  nlohmann::json json = nlohmann::json::parse(file, nullptr, false);
  if (json.is_discarded()) return Error(path + " is not JSON");
  return json;
}

Result<void> write_text(const std::string& path, const std::string& text) {
  if (path.empty()) return {};
  return write_text_file(path, text);
}

nlohmann::json to_json(const Findings& findings) {
  nlohmann::json json = {{"excess_requests", findings.excess},
                         {"spilled_calm", findings.spilled_calm},
                         {"spilled_usd", findings.usd},
                         {"spilled_to_excess", nullptr}};
  if (findings.spilled_to_excess) json["spilled_to_excess"] = *findings.spilled_to_excess;
  return json;
}

nlohmann::json to_json(const Terms& terms) {
  return {{"capacity_rps", terms.capacity_rps},
          {"objective_ms", terms.objective_ms},
          {"calm_until", terms.calm_until},
          {"prices",
           {{"lambda_usd_per_gb_second", terms.prices.lambda_usd_per_gb_second},
            {"lambda_usd_per_million_requests", terms.prices.lambda_usd_per_million_requests},
            {"lambda_gb", terms.prices.lambda_gb},
            {"vm_usd_per_hour", terms.prices.vm_usd_per_hour}}}};
}

Result<void> report(Options options) {
  auto about = read_json(options.about);
  if (!about) return about.error();
  options.terms.calm_until = about->value("calm_until", 0);
  nlohmann::json output = {{"schema", "flare-report/1"},
                           {"window", *about},
                           {"terms", to_json(options.terms)},
                           {"runs", nlohmann::json::array()}};
  std::vector<RunSummary> runs;
  for (const std::string& path : options.runs) {
    auto run = read_run(path);
    if (!run) return run.error();
    auto summary = read_json(path);
    if (!summary) return summary.error();
    (*summary)["findings"] = to_json(findings_of(*run, options.terms));
    output["runs"].push_back(*std::move(summary));
    runs.push_back(*std::move(run));
  }
  std::cout << table_of(runs, options.terms);
  for (std::size_t i = 1; i < runs.size(); ++i) {
    const auto checks = checks_of(runs[0], runs[i], options.terms);
    nlohmann::json holds;
    for (const Check& check : checks) holds[check.key] = check.holds;
    if (i == 1) output["checks"] = holds;
    output["comparisons"].push_back({{"label", runs[i].label}, {"checks", holds}});
    std::cout << '\n' << text_of(checks);
  }
  auto written = write_text(options.output, output.dump(1) + "\n");
  if (!written) return written.error();
  return write_text(options.picture, picture_of(runs, options.terms));
}

}  // namespace
}  // namespace flare::lab

int main(int argc, char** argv) {
  CLI::App app("Compares runs of flare-load: a table, a picture, and one JSON of all figures");
  flare::lab::Options options;
  flare::lab::describe(app, options);
  CLI11_PARSE(app, argc, argv);
  const auto done = flare::lab::report(std::move(options));
  if (done) return 0;
  std::cerr << "flare-report: " << done.error().message() << '\n';
  return 1;
}
