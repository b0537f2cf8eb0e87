#include "eval/sim/validate.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "eval/sim/tables.h"

namespace flare::eval {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr double kInfinite = std::numeric_limits<double>::infinity();

Result<Json> read_json(const fs::path& path) {
  std::ifstream file(path);
  if (!file) return Error("cannot read " + path.string());
  Json json = Json::parse(file, nullptr, false);
  if (!json.is_object()) return Error(path.string() + " is not JSON");
  return json;
}

struct Figures {
  double peak_ms = 0;
  double over_s = 0;
  double spilled = 0;
};

/// Both sides of one repetition.
struct Pair {
  std::string cell;
  RunConfig config;
  Figures seen;
  Figures simulated;
};

Figures figures_of(const Json& load) {
  const Json& peak = load.at("peak").at("p95_ms");
  return {peak.is_null() ? kInfinite : peak.get<double>(),
          load.at("peak").at("seconds_p95_over").get<double>(),
          load.at("total").at("serverless").get<double>()};
}

Result<Pair> read_pair(const fs::path& folder, const ValidateConfig& config) {
  const auto run = read_json(folder / "run.json");
  if (!run) return run.error();
  const auto load = read_json(folder / "load.json");
  if (!load) return load.error();
  try {
    auto simulated = config_of_run(*run, *load, config);
    if (!simulated) return simulated.error().within(folder.string());
    return Pair{folder.parent_path().filename().string(), *simulated, figures_of(*load), {}};
  } catch (const Json::exception& exception) {
    return Error(folder.string() + ": " + exception.what());
  }
}

bool is_void(const fs::path& folder) {
  const auto run = read_json(folder / "run.json");
  return run && run->value("void", false);
}

/// The folders of repetitions, in order.
std::vector<fs::path> repetitions(const fs::path& runs) {
  std::vector<fs::path> folders;
  std::error_code none;
  for (const auto& file : fs::recursive_directory_iterator(runs, none)) {
    if (file.path().filename() == "run.json") folders.push_back(file.path().parent_path());
  }
  std::ranges::sort(folders);
  return folders;
}

template <typename Member>
double median(const std::vector<const Pair*>& pairs, Figures Pair::*side, Member member) {
  std::vector<double> values;
  values.reserve(pairs.size());
  for (const Pair* pair : pairs) values.push_back(pair->*side.*member);
  return median_of(values);
}

/// Simulated over seen, less one. Two that are both infinite are equal.
double difference(double simulated, double seen) {
  if (simulated == seen) return 0;
  return seen == 0 || !std::isfinite(seen) ? kInfinite : simulated / seen - 1;
}

std::string signed_percent(double part) {
  if (!std::isfinite(part)) return "–";
  return (part >= 0 ? "+" : "") + percent(part);
}

}  // namespace

Result<RunConfig> config_of_run(const Json& run, const Json& load, const ValidateConfig& config) {
  const auto policy = policy_of(run.at("policy").get<std::string>());
  if (!policy) return Error("there is no policy " + run.at("policy").dump());
  RunConfig simulated;
  NodeConfig& node = simulated.node;
  node.policy = *policy;
  node.seed = run.at("seed").get<std::uint64_t>();
  if (*policy == SimPolicy::kOverProvisioned) node.machines.pods *= 2;
  // The capacity is that of the pods at the start and tells the service time; slots are always
  // four.
  const double capacity_rps = run.at("capacity_rps").get<double>();
  node.machines.mean_ms = node.machines.pods * node.machines.slots * 1000 / capacity_rps;
  node.told = run.at("capacity_told_rps").get<double>() / capacity_rps;
  node.machines.least = run.value("select", config.least ? "least" : "hash") == "least";
  if (run.contains("slow") && run["slow"].is_object()) {
    const auto at_ns = [&](const char* key) {
      return static_cast<std::int64_t>(run["slow"].at(key).get<double>() * 1e9);
    };
    node.machines.slow = {at_ns("from_s"), at_ns("to_s"), run["slow"].at("factor").get<double>()};
  }
  if (run.at("functions") == "cold") node.functions.cold_ms = run.value("cold_ms", config.cold_ms);
  const auto mode = lab::ConnectionMode::parse(run.at("connections").get<std::string>());
  if (!mode) return Error("there are no connections " + run.at("connections").dump());
  node.connections = *mode;

  simulated.objective_ms = run.at("objective_ms").get<double>();
  simulated.load.onset_s = run.at("onset_s").is_null() ? -1 : run.at("onset_s").get<int>();
  simulated.load.users = load.at("run").at("mode") == "users";
  simulated.load.lead_in = load.at("run").at("lead_in_s").get<int>();
  simulated.load.seed = load.at("run").at("seed").get<std::uint64_t>();
  for (const Json& second : load.at("seconds")) {
    simulated.load.rates.push_back(second.at("rate").get<double>());
  }
  if (simulated.load.rates.empty()) return Error("the run has no seconds");
  return simulated;
}

Result<Validation> validate(const std::string& folder, const ValidateConfig& config) {
  std::vector<Pair> pairs;
  for (const fs::path& repetition : repetitions(fs::path(folder) / "runs")) {
    if (is_void(repetition)) continue;
    auto pair = read_pair(repetition, config);
    if (!pair) return pair.error();
    pairs.push_back(std::move(*pair));
  }
  if (pairs.empty()) return Error(folder + " has no run that is not void");
  in_parallel(pairs.size(), config.jobs, [&](std::size_t at) {
    const RunOutcome outcome = run(pairs[at].config);
    pairs[at].simulated = {peak_p95(outcome), seconds_over(outcome), spilled(outcome)};
  });

  std::map<std::string, std::vector<const Pair*>> cells;
  for (const Pair& pair : pairs) cells[pair.cell].push_back(&pair);
  Validation validation;
  validation.table = {"validation",
                      "Simulated against the testbed, same arrivals and same work",
                      "medians of the repetitions; the bound on the peak P95 is " +
                          percent(kPeakBound, 0) + ". The simulation has no network.",
                      {"cell", "runs", "testbed: peak P95 ms", "simulated", "difference",
                       "within the bound", "testbed: s P95 > SLO", "simulated",
                       "testbed: serverless requests", "simulated", "difference"},
                      {}};
  for (const auto& [cell, members] : cells) {
    const double seen = median(members, &Pair::seen, &Figures::peak_ms);
    const double simulated = median(members, &Pair::simulated, &Figures::peak_ms);
    const double spilled_seen = median(members, &Pair::seen, &Figures::spilled);
    const double spilled_simulated = median(members, &Pair::simulated, &Figures::spilled);
    const double off = difference(simulated, seen);
    const bool within = std::abs(off) <= kPeakBound;
    ++validation.cells;
    validation.outside += within ? 0 : 1;
    validation.table.rows.push_back(
        {cell, std::to_string(members.size()), spread({seen}), spread({simulated}),
         signed_percent(off), within ? "yes" : "no",
         spread({median(members, &Pair::seen, &Figures::over_s)}),
         spread({median(members, &Pair::simulated, &Figures::over_s)}), spread({spilled_seen}),
         spread({spilled_simulated}), signed_percent(difference(spilled_simulated, spilled_seen))});
  }
  return validation;
}

}  // namespace flare::eval
