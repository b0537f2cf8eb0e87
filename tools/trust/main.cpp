// flare-trust-report: the catalogue of faults and the results of the tests, joined into a table.
#include <CLI/CLI.hpp>
#include <iostream>
#include <string>

#include "common/text_file.h"
#include "trust/words.h"

namespace flare::trust {
namespace {

struct Options {
  std::string catalogue;
  std::string tests;
  std::string results;
  std::string json;
  std::string markdown;
};

void describe(CLI::App& app, Options& options) {
  app.add_option("--catalogue", options.catalogue, "folder of the catalogue's blocks (YAML)")
      ->required();
  app.add_option("--tests", options.tests, "folder of GoogleTest's results, PROGRAM.json")
      ->required();
  app.add_option("--results", options.results, "folder of the results of scripts (JSON)")
      ->required();
  app.add_option("--json", options.json, "file for the report as data")->required();
  app.add_option("--markdown", options.markdown, "file for the report as a page")->required();
}

/// Says what failed and what has drifted.
void complain(const Report& report) {
  for (const std::string& drift : report.drift) std::cerr << drift << '\n';
  for (const BlockResult& block : report.blocks)
    for (const EntryResult& entry : block.entries)
      for (const std::string& test : entry.failed)
        std::cerr << entry.entry.id << " failed: " << test << '\n';
}

/// Writes both files; whether the report holds.
Result<bool> report(const Options& options) {
  const auto catalogue = read_catalogue(options.catalogue);
  if (!catalogue) return catalogue.error();
  auto runs = read_runs(options.tests, options.results);
  if (!runs) return runs.error();
  const Report report = judge(*catalogue, *std::move(runs));
  auto written = lab::write_text_file(options.json, json_of(report).dump(1) + "\n");
  if (!written) return written.error();
  written = lab::write_text_file(options.markdown, markdown_of(report));
  if (!written) return written.error();
  for (const BlockResult& block : report.blocks)
    std::cout << block.block.name << ": survived " << block.survived() << " of " << block.tried()
              << " tried, of " << block.entries.size() << " entries\n";
  complain(report);
  return report.holds();
}

}  // namespace
}  // namespace flare::trust

int main(int argc, char** argv) {
  CLI::App app("Joins the catalogue of faults and the results of the tests into a table");
  flare::trust::Options options;
  flare::trust::describe(app, options);
  CLI11_PARSE(app, argc, argv);
  const auto holds = flare::trust::report(options);
  if (holds) return *holds ? 0 : 1;
  std::cerr << "flare-trust-report: " << holds.error().message() << '\n';
  return 1;
}
