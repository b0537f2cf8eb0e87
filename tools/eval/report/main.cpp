// flare-eval-report: from a results folder to one page, a text and a JSON of all figures.
#include <CLI/CLI.hpp>
#include <iostream>
#include <string>

#include "common/text_file.h"
#include "eval/report/report.h"

namespace flare::eval {
namespace {

struct Options {
  std::string results;
  std::string simulation;
  std::string html;
  std::string json;
  std::string text;
};

void describe(CLI::App& app, Options& options) {
  app.add_option("--results", options.results, "the results folder, whole or in part")->required();
  app.add_option("--sim", options.simulation, "the simulator's tables (flare-sim/1)");
  app.add_option("--html", options.html, "file for the page; - is standard output");
  app.add_option("--json", options.json, "file for all figures (flare-eval-report/1)");
  app.add_option("--text", options.text, "file for the tables (markdown)");
}

Result<void> write(const std::string& path, const std::string& text) {
  if (path.empty()) return {};
  if (path == "-") {
    std::cout << text << std::flush;
    if (!std::cout) return Error("cannot write to standard output");
    return {};
  }
  return lab::write_text_file(path, text);
}

Result<void> run(const Options& options) {
  auto results = read_results(options.results);
  if (!results) return results.error();
  std::optional<Simulation> simulation;
  if (!options.simulation.empty()) {
    auto read = read_simulation(options.simulation);
    if (!read) return read.error();
    simulation = *std::move(read);
  }
  const Report report = make_report(*std::move(results), std::move(simulation));
  if (auto done = write(options.html, html_of(report)); !done) return done;
  if (auto done = write(options.json, json_of(report)); !done) return done;
  return write(options.text, text_of(report));
}

}  // namespace
}  // namespace flare::eval

int main(int argc, char** argv) {
  CLI::App app(
      "Reports on an evaluation: a page, markdown, and JSON.\n"
      "Ends with 0 also where a target is missed, with 1 where the results cannot be read.");
  flare::eval::Options options;
  flare::eval::describe(app, options);
  CLI11_PARSE(app, argc, argv);
  const auto done = flare::eval::run(options);
  if (done) return 0;
  std::cerr << "flare-eval-report: " << done.error().message() << '\n';
  return 1;
}
