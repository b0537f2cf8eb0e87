// flare_disruption: what open connections through a balancer notice of changes. Needs root. Exits 1
// where one went astray.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "steps.h"

namespace flare::test {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  DisruptionPlan plan;
  std::string attach = "tc";
  std::vector<std::string> snats{"always", "never"};
  std::filesystem::path out;
  std::string commit;
};

bool holds(const Step& step) {
  return std::all_of(step.bounds.begin(), step.bounds.end(),
                     [](const StepBound& one) { return one.holds; });
}

std::size_t of(const Tally& tally, char tag) {
  const auto found = tally.find(tag);
  return found == tally.end() ? 0 : found->second;
}

void print_head(const std::string& snat, const std::string& attach) {
  std::printf("snat %s, %s\n%-27s %6s %6s %6s %6s %6s  %6s %6s %6s  %5s %6s %7s\n", snat.c_str(),
              attach.c_str(), "step", "open", "moved", "broken", "silent", "stray", "its", "broken",
              "silent", "new", "to it", "refused");
}

void print_step(const Step& step) {
  const auto its = [&step](std::size_t count) {
    return step.changed == 0 ? "-" : std::to_string(count);
  };
  const Round& round = step.round;
  std::printf("%-27s %6zu %6zu %6zu %6zu %6llu  %6s %6s %6s  %5zu %6s %7zu  %s\n",
              step.title.c_str(), step.open, total(round.moved), total(round.broken),
              total(round.silent), static_cast<unsigned long long>(step.strays),
              its(step.of_changed).c_str(), its(of(round.broken, step.changed)).c_str(),
              its(of(round.silent, step.changed)).c_str(), total(step.fresh),
              its(of(step.fresh, step.changed)).c_str(), of(step.fresh, '-'),
              holds(step) ? "ok" : "WRONG");
  for (const StepBound& one : step.bounds)
    if (!one.holds) std::printf("  WRONG: %s\n", one.what.c_str());
  std::fflush(stdout);
}

Json tally_json(const Tally& tally) {
  Json made = Json::object();
  for (const auto& [tag, count] : tally) made[std::string(1, tag)] = count;
  return made;
}

Json step_json(const Step& step) {
  Json made{{"step", step.title}};
  if (step.changed != 0) made["changed"] = std::string(1, step.changed);
  made["open"] = step.open;
  made["of_changed"] = step.of_changed;
  made["answered"] = step.round.answered;
  made["moved"] = tally_json(step.round.moved);
  made["broken"] = tally_json(step.round.broken);
  made["silent"] = tally_json(step.round.silent);
  made["strays"] = step.strays;
  made["new"] = tally_json(step.fresh);
  made["bounds"] = Json::array();
  for (const StepBound& one : step.bounds)
    made["bounds"].push_back({{"what", one.what}, {"holds", one.holds}});
  return made;
}

Json run_json(const DisruptionRun& run) {
  Json made{{"snat", run.snat}};
  made["steps"] = Json::array();
  for (const Step& step : run.steps) made["steps"].push_back(step_json(step));
  made["lost"] = step_json(run.lost.step);
  made["lost"]["other_ports"] = run.lost.other_ports;
  return made;
}

void write_json(const Options& options, const Json& runs) {
  std::error_code ignored;
  if (options.out.has_parent_path())
    std::filesystem::create_directories(options.out.parent_path(), ignored);
  std::ofstream file(options.out);
  const Json made{{"target", "disruption"},      {"format", 1},
                  {"commit", options.commit},    {"attach", options.attach},
                  {"flows", options.plan.flows}, {"runs", runs}};
  file << made.dump(2) << '\n';
  if (!file.flush()) throw std::runtime_error("cannot write " + options.out.string());
  std::cout << "figures: " << options.out.string() << '\n';
}

/// Both ends of every flow are in this process.
void make_room(const DisruptionPlan& plan) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  const rlim_t wanted = 2 * (plan.flows + plan.probes) + 100;
  if (files.rlim_max < wanted) files.rlim_max = wanted;
  files.rlim_cur = files.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &files) != 0)
    throw std::runtime_error("cannot have " + std::to_string(wanted) + " files open");
}

int run(const Options& options) {
  make_room(options.plan);
  bool good = true;
  Json runs = Json::array();
  for (const std::string& snat : options.snats) {
    print_head(snat, options.attach);
    const DisruptionRun made = run_disruption(snat, options.plan, print_step);
    std::printf("  flows whose first NAT port was taken: %llu\n\n",
                static_cast<unsigned long long>(made.lost.other_ports));
    good =
        good && std::all_of(made.steps.begin(), made.steps.end(), holds) && holds(made.lost.step);
    runs.push_back(run_json(made));
  }
  if (!options.out.empty()) write_json(options, runs);
  return good ? 0 : 1;
}

}  // namespace
}  // namespace flare::test

int main(int argc, char** argv) {
  flare::test::Options options;
  CLI::App app("What open connections through a balancer notice of changes (needs root)");
  app.add_option("--flows", options.plan.flows, "that are held open")
      ->check(CLI::Range(10, 9000))
      ->capture_default_str();
  app.add_option("--attach", options.attach, "tc or xdp")
      ->check(CLI::IsMember({"tc", "xdp"}))
      ->capture_default_str();
  app.add_option("--snat", options.snats, "snat modes")
      ->check(CLI::IsMember({"always", "never", "auto"}));
  app.add_option("--out", options.out, "where to write the raw numbers as JSON");
  app.add_option("--commit", options.commit, "what is measured, for the report");
  CLI11_PARSE(app, argc, argv);
  options.plan.attach =
      options.attach == "xdp" ? flare::test::Attach::kXdp : flare::test::Attach::kTc;
  try {
    return flare::test::run(options);
  } catch (const std::exception& failure) {
    std::cerr << "flare_disruption: " << failure.what() << '\n';
    return 1;
  }
}
