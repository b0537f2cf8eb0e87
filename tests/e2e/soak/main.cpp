// flare_soak: what of a steady stream is lost while faults come, and whether flared grows. Needs
// root. Exits 1 where a rule is broken.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "soak.h"
#include "verdict.h"

namespace flare::test {
namespace {

using Json = nlohmann::ordered_json;
using Count = unsigned long long;

struct Options {
  SoakPlan plan;
  std::string attach = "xdp";
  std::filesystem::path out;
};

void print_row(const std::string& name, std::uint64_t times, const WindowCount& count,
               const std::string& why) {
  std::printf("%-44s %5llu %11llu %11llu %8llu  %s\n", name.c_str(), static_cast<Count>(times),
              static_cast<Count>(count.sent), static_cast<Count>(count.received),
              static_cast<Count>(count.lost()), why.c_str());
}

void print_result(const SoakResult& result, const std::vector<SoakRule>& rules) {
  std::printf("\n%-44s %5s %11s %11s %8s  %s\n", "windows of", "times", "sent", "received", "lost",
              "may lose, as");
  for (const FaultRow& row : result.faults) print_row(row.name, row.times, row.count, row.may_lose);
  print_row("no fault", result.calm_windows, result.calm, "");
  std::puts("");
  if (!result.failure.empty()) std::printf("it ended early: %s\n", result.failure.c_str());
  for (const SoakRule& rule : rules) {
    std::printf("%-6s %s:", rule.holds ? "ok" : "BROKEN", rule.what.c_str());
    for (const auto& [name, value] : rule.figures)
      std::printf(" %s %llu", name.c_str(), static_cast<Count>(value));
    std::puts("");
  }
}

/// As the table of all trust is made from it.
void write_json(const std::filesystem::path& out, const SoakResult& result,
                const std::vector<SoakRule>& rules) {
  Json made{{"program", "flare-soak"}, {"results", Json::array()}};
  for (const SoakRule& rule : rules) {
    Json figures = Json::object();
    for (const auto& [name, value] : rule.figures) figures[name] = value;
    made["results"].push_back({{"name", rule.name},
                               {"status", rule.holds ? "passed" : "failed"},
                               {"figures", std::move(figures)}});
  }
  made["windows"] = Json::array();
  for (const FaultRow& row : result.faults)
    made["windows"].push_back({{"fault", row.name},
                               {"times", row.times},
                               {"sent", row.count.sent},
                               {"received", row.count.received},
                               {"lost", row.count.lost()},
                               {"may_lose", row.may_lose}});
  std::error_code ignored;
  if (out.has_parent_path()) std::filesystem::create_directories(out.parent_path(), ignored);
  std::ofstream file(out);
  file << made.dump(2) << '\n';
  if (!file.flush()) throw std::runtime_error("cannot write " + out.string());
  std::cout << "figures: " << out.string() << '\n';
}

volatile std::sig_atomic_t told_to_end = 0;

/// SIGINT and SIGTERM end the soak between two faults, with its table, and leave nothing behind; a
/// second one ends it at once.
void end_by_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { told_to_end = 1; };
  action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
  for (const int signal : {SIGINT, SIGTERM}) ::sigaction(signal, &action, nullptr);
}

bool is_told_to_end() { return told_to_end != 0; }

int run(const Options& options) {
  const SoakResult result = run_soak(options.plan, [](const std::string& line) {
    std::puts(line.c_str());
    std::fflush(stdout);
  });
  const std::vector<SoakRule> rules = judge_soak(result);
  print_result(result, rules);
  if (!options.out.empty()) write_json(options.out, result, rules);
  return std::all_of(rules.begin(), rules.end(), [](const SoakRule& rule) { return rule.holds; })
             ? 0
             : 1;
}

}  // namespace
}  // namespace flare::test

int main(int argc, char** argv) {
  flare::test::Options options;
  flare::test::SoakPlan& plan = options.plan;
  CLI::App app("Traffic through a balancer while faults come (needs root)");
  app.option_defaults()->take_last();  // scripts/soak.sh gives some, and who calls it may
  app.add_option("--seconds", plan.seconds, "that it takes")
      ->check(CLI::Range(30, 1'000'000))
      ->capture_default_str();
  app.add_option("--rate", plan.rate, "datagrams a second, at most")
      ->check(CLI::Range(1000, 10'000'000))
      ->capture_default_str();
  app.add_option("--every", plan.every, "seconds from fault to fault")
      ->check(CLI::Range(5, 3600))
      ->capture_default_str();
  app.add_option("--attach", options.attach, "tc or xdp")
      ->check(CLI::IsMember({"tc", "xdp"}))
      ->capture_default_str();
  app.add_option("--break", plan.breaks, "make it fail, to see that it can")
      ->check(CLI::IsMember({"detach", "descriptor", "map"}));
  app.add_option("--out", options.out, "where to write the results as JSON");
  CLI11_PARSE(app, argc, argv);
  plan.is_told_to_end = flare::test::is_told_to_end;
  flare::test::end_by_signals();
  plan.attach = options.attach == "xdp" ? flare::test::Attach::kXdp : flare::test::Attach::kTc;
  try {
    return flare::test::run(options);
  } catch (const std::exception& failure) {
    std::cerr << "flare_soak: " << failure.what() << '\n';
    return 1;
  }
}
