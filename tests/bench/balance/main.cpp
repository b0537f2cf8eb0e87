// flare_balance: how evenly, how well and how steadily new flows are spread over backends, by the
// shipped program. Needs root. Exits 1 where something is not as it must be.
#include <CLI/CLI.hpp>
#include <exception>
#include <filesystem>
#include <iostream>

#include "report.h"

namespace flare::bench {
namespace {

int run(BalanceReport report, const std::filesystem::path& out) {
  report.spread_plan.seed = report.queue_plan.seed = report.seed;
  World world;
  for (const Family family : {Family::kV4, Family::kV6})
    report.spreads.push_back(measure_spread(world, family, report.spread_plan));
  print_spreads(report);
  report.queues = measure_queues(world, report.queue_plan);
  print_queues(report);
  report.disruptions = measure_disruption(report.seed);
  print_disruptions(report);
  if (!out.empty()) {
    write_json(out, report);
    std::cout << "figures: " << out.string() << '\n';
  }
  return judge(report) ? 0 : 1;
}

}  // namespace
}  // namespace flare::bench

int main(int argc, char** argv) {
  flare::bench::BalanceReport report;
  report.seed = 4;
  std::filesystem::path out;
  CLI::App app("How new flows are spread over a balancer's backends (needs root)");
  app.add_option("--seed", report.seed, "of weights, clients and service times")
      ->capture_default_str();
  app.add_option("--flows", report.spread_plan.flows, "new flows of each family")
      ->check(CLI::Range(1000, 100'000'000))
      ->capture_default_str();
  app.add_option("--requests", report.queue_plan.requests, "of each simulation")
      ->check(CLI::Range(1000, 400'000))
      ->capture_default_str();
  app.add_option("--out", out, "where to write the raw numbers as JSON");
  app.add_option("--commit", report.commit, "what is measured, for the report");
  CLI11_PARSE(app, argc, argv);
  try {
    return flare::bench::run(std::move(report), out);
  } catch (const std::exception& failure) {
    std::cerr << "flare_balance: " << failure.what() << '\n';
    return 1;
  }
}
