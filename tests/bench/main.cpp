// flare_bench: ns a packet of the datapath, as ratios to the floor measured in the same run. Needs
// root. Exits 1, having written nothing, where a packet did not become what its case is about.
#include <CLI/CLI.hpp>
#include <exception>
#include <filesystem>
#include <iostream>
#include <regex>
#include <thread>

#include "agent_cost.h"
#include "machine.h"
#include "measure.h"
#include "programs.h"
#include "report.h"
#include "support/precedence.h"
#include "world.h"

namespace flare::bench {
namespace {

struct Options {
  std::uint32_t rounds = 7;
  int cpu = static_cast<int>(std::thread::hardware_concurrency()) - 1;
  std::string only = ".*";
  std::string commit;
  std::filesystem::path out;
  bool agent = true;
};

int run(const Options& options) {
  Report report;
  report.machine = this_machine();
  report.commit = options.commit;
  report.rounds = options.rounds;
  report.cpu = options.cpu;
  pin_to_cpu(options.cpu);

  World world;
  Programs programs(world);
  const std::regex only(options.only);
  {
    const test::Precedence precedence;
    report.precedence = precedence.granted();
    report.outcomes = measure_all(
        world, programs,
        {.rounds = options.rounds,
         .wanted = [&only](const Case& what) { return std::regex_search(what.key, only); },
         .progress = [](const std::string& text) { std::cerr << "  " << text << '\n'; }});
  }
  if (options.agent) report.agent = measure_agent(world);

  print_table(std::cout, report);
  if (!options.out.empty()) {
    write_json(options.out, report);
    std::cout << "\nraw numbers: " << options.out.string() << '\n';
  }
  return 0;
}

}  // namespace
}  // namespace flare::bench

int main(int argc, char** argv) {
  flare::bench::Options options;
  CLI::App app("ns a packet of Flare's datapath, against a program that only passes (needs root)");
  app.add_option("--rounds", options.rounds, "how often each case is measured")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--cpu", options.cpu, "the one to run on")->capture_default_str();
  app.add_option("--only", options.only, "cases whose key matches this expression");
  app.add_option("--out", options.out, "where to write the raw numbers as JSON");
  app.add_option("--commit", options.commit, "what is measured, for the report");
  app.add_flag("!--no-agent", options.agent, "leave out what the agent's own work costs");
  CLI11_PARSE(app, argc, argv);
  try {
    return flare::bench::run(options);
  } catch (const std::exception& failure) {
    std::cerr << "flare_bench: " << failure.what() << '\n';
    return 1;
  }
}
