#include "eval/sim/commands.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "common/text_file.h"
#include "eval/sim/tables.h"
#include "eval/sim/validate.h"
#include "model/words.h"

namespace flare::eval {
namespace {

constexpr const char* kSchema = "flare-sim/1";

int fail(const Error& error) {
  std::cerr << "flare-sim: " << error.message() << '\n';
  return 1;
}

int cores() { return static_cast<int>(std::max(1U, std::thread::hardware_concurrency())); }

/// What git says of the sources that this was run in; empty where it cannot be told.
std::string commit() {
  std::string text;
  if (FILE* pipe = ::popen("git describe --always --dirty --abbrev=12 2>/dev/null", "r")) {
    char buffer[64];
    while (std::fgets(buffer, sizeof(buffer), pipe) != nullptr) text += buffer;
    ::pclose(pipe);
  }
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

struct RunOptions {
  RunConfig run;
  std::string policy = "cap";
  std::string trace = "tools/traces/twitter_spike_sustained_1s.csv";
  std::string clients = "users";
  std::string connections = "new";
  std::string select = "least";
  int before = 60;
  int after = 240;
  double steady_rps = 0;
};

Result<RunConfig> config_of(const RunOptions& options) {
  auto load = options.steady_rps > 0
                  ? Result<Load>(steady_load(options.steady_rps, options.before + options.after))
                  : spike_load(options.trace, options.before, options.after);
  if (!load) return load.error();
  RunConfig config = options.run;
  config.load = *load;
  config.load.users = options.clients == "users";
  config.node.policy = *policy_of(options.policy);
  config.node.machines.least = options.select == "least";
  if (config.node.policy == SimPolicy::kOverProvisioned) config.node.machines.pods *= 2;
  const auto mode = lab::ConnectionMode::parse(options.connections);
  if (!mode) return Error("'" + options.connections + "' is not new, keep=K, pool=M or warm=M");
  config.node.connections = *mode;
  return config;
}

int run_one(const RunOptions& options) {
  const auto config = config_of(options);
  if (!config) return fail(config.error());
  const RunOutcome outcome = run(*config);
  nlohmann::json fleet = nlohmann::json::array();
  for (const FleetEvent& event : outcome.node.fleet) {
    nlohmann::json one = {{"t_s", static_cast<double>(event.at_ns) / 1e9},
                          {"event", to_word(event.kind)},
                          {"node", event.node}};
    if (event.pod != 0) one["pod"] = event.pod;
    fleet.push_back(one);
  }
  nlohmann::json spilled;
  for (std::uint32_t cause = 0; cause < FLARE_SPILL_CAUSES_COUNT; ++cause) {
    spilled[std::string(spill_cause_word(cause))] = outcome.node.counters.spilled[cause];
  }
  const nlohmann::json json = {{"policy", options.policy},
                               {"spilled", spilled},
                               {"onset_s", config->load.onset_s},
                               {"serverless_usd", outcome.serverless_usd},
                               {"node_seconds", outcome.node_seconds},
                               {"cold_starts", outcome.node.cold_starts},
                               {"events", fleet},
                               {"load", lab::to_json(outcome.summary)}};
  std::cout << json.dump(1) << '\n';
  return 0;
}

struct TableOptions {
  TableConfig config;
  std::vector<std::string> names;
  std::string json;
};

int run_tables(TableOptions options) {
  if (options.names == std::vector<std::string>{"all"}) options.names = table_names();
  std::vector<Table> tables;
  for (const std::string& name : options.names) {
    const auto table = make_table(name, options.config);
    if (!table) return fail(table.error());
    print(std::cout, *table);
    tables.push_back(*table);
  }
  if (options.json.empty()) return 0;
  const auto written = write_tables(options.json, tables, options.config.seeds);
  return written ? 0 : fail(written.error());
}

struct ValidateOptions {
  std::string folder;
  std::string json;
  std::string select = "least";
  ValidateConfig config;
};

int run_validate(const ValidateOptions& options) {
  ValidateConfig config = options.config;
  config.least = options.select == "least";
  const auto validation = validate(options.folder, config);
  if (!validation) return fail(validation.error());
  print(std::cout, validation->table);
  if (!options.json.empty()) {
    const auto written = write_tables(options.json, {validation->table}, 1);
    if (!written) return fail(written.error());
  }
  return validation->outside == 0 ? 0 : 2;
}

}  // namespace

Result<void> write_tables(const std::string& path, const std::vector<Table>& tables, int seeds) {
  nlohmann::json all = nlohmann::json::array();
  std::ifstream before(path);
  const auto old = before ? nlohmann::json::parse(before, nullptr, false) : nlohmann::json();
  if (old.is_object() && old.value("schema", "") == kSchema && old.contains("tables")) {
    for (const auto& table : old["tables"]) {
      const auto same = [&](const Table& other) { return other.id == table.value("id", ""); };
      if (std::ranges::none_of(tables, same)) all.push_back(table);
    }
  }
  for (const Table& table : tables) all.push_back(to_json(table));
  const nlohmann::json file = {
      {"schema", kSchema}, {"seeds", seeds}, {"commit", commit()}, {"tables", all}};
  return lab::write_text_file(path, file.dump(1) + "\n");
}

void add_run(CLI::App& app, int& status) {
  auto options = std::make_shared<RunOptions>();
  CLI::App& command = *app.add_subcommand("run", "one run; its summary as JSON");
  std::vector<std::string> words;
  for (int policy = 0; policy <= static_cast<int>(SimPolicy::kCapLearned); ++policy) {
    words.emplace_back(to_word(static_cast<SimPolicy>(policy)));
  }
  command.add_option("--policy", options->policy)
      ->check(CLI::IsMember(words))
      ->capture_default_str();
  command.add_option("--clients", options->clients)
      ->check(CLI::IsMember({"users", "open"}))
      ->capture_default_str();
  command.add_option("--connections", options->connections, "new, keep=K, pool=M, warm=M")
      ->capture_default_str();
  command.add_option("--select", options->select, "which pod a new connection gets")
      ->check(CLI::IsMember({"hash", "least"}))
      ->capture_default_str();
  command.add_option("--trace", options->trace)->capture_default_str();
  command.add_option("--before", options->before, "seconds before the onset")
      ->capture_default_str();
  command.add_option("--after", options->after, "seconds from the onset on")->capture_default_str();
  command.add_option("--steady", options->steady_rps, "a steady rate instead of a trace");
  RunConfig& run = options->run;
  command.add_option("--seed", run.node.seed)->capture_default_str();
  command.add_option("--told", run.node.told, "capacity told over the true one")
      ->capture_default_str();
  command.add_option("--significance", run.node.significance, "of growth in the formula")
      ->capture_default_str();
  command.add_flag("--move", run.node.move, "tell open connections to close");
  command.add_option("--pods", run.node.machines.pods)->capture_default_str();
  command.add_option("--slots", run.node.machines.slots, "of a pod")->capture_default_str();
  command.add_option("--mean-ms", run.node.machines.mean_ms)->capture_default_str();
  command.add_option("--sigma", run.node.machines.sigma)->capture_default_str();
  command.add_option("--cold-ms", run.node.functions.cold_ms)->capture_default_str();
  command.add_option("--prewarmed", run.node.functions.prewarmed)->capture_default_str();
  command.add_option("--objective-ms", run.objective_ms)->capture_default_str();
  command.callback([options, &status] { status = run_one(*options); });
}

void add_table(CLI::App& app, int& status) {
  auto options = std::make_shared<TableOptions>();
  options->config.jobs = cores();
  CLI::App& command = *app.add_subcommand("table", "tables of many runs");
  auto names = table_names();
  names.emplace_back("all");
  command.add_option("names", options->names)->required()->check(CLI::IsMember(names));
  command.add_option("--json", options->json, "also into this file (schema flare-sim/1)");
  command.add_option("--seeds", options->config.seeds)
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command.add_option("--jobs", options->config.jobs, "threads")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command.add_option("--traces", options->config.traces, "the folder")->capture_default_str();
  command.callback([options, &status] { status = run_tables(*options); });
}

void add_validate(CLI::App& app, int& status) {
  auto options = std::make_shared<ValidateOptions>();
  options->config.jobs = cores();
  CLI::App& command =
      *app.add_subcommand("validate", "the cells of a testbed's results against simulated ones");
  command.add_option("results", options->folder, "the folder with manifest.json")->required();
  command.add_option("--select", options->select, "the testbed's, where run.json has no `select`")
      ->check(CLI::IsMember({"hash", "least"}))
      ->capture_default_str();
  command.add_option("--cold-ms", options->config.cold_ms, "where run.json has no `cold_ms`")
      ->capture_default_str();
  command.add_option("--json", options->json, "also into this file (schema flare-sim/1)");
  command.add_option("--jobs", options->config.jobs, "threads")->capture_default_str();
  command.callback([options, &status] { status = run_validate(*options); });
}

}  // namespace flare::eval
