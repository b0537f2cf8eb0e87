// The tables of one service in a spike.
#include <cmath>

#include "eval/sim/tables.h"

namespace flare::eval {
namespace {

using enum SimPolicy;

constexpr const char* kSustained = "/twitter_spike_sustained_1s.csv";
constexpr int kBefore = 60;
constexpr int kAfter = 240;

Load with_users(Load load, bool users) {
  load.users = users;
  return load;
}

/// Peak P95, seconds over the objective, serverless requests.
void add_figures(std::vector<std::string>& row, const std::vector<RunOutcome>& runs) {
  row.push_back(spread(figures(runs, peak_p95)));
  row.push_back(spread(figures(runs, seconds_over)));
  row.push_back(spread(figures(runs, spilled)));
}

const std::vector<std::string> kFigureColumns{
    "users: peak P95 ms", "users: s P95 > SLO", "users: serverless requests",
    "open: peak P95 ms",  "open: s P95 > SLO",  "open: serverless requests"};

std::vector<std::string> columns(std::vector<std::string> first) {
  first.insert(first.end(), kFigureColumns.begin(), kFigureColumns.end());
  return first;
}

/// Rows of runs with users and with open arrivals.
struct Rows {
  std::vector<std::vector<std::string>> names;
  std::vector<RunConfig> runs;

  void add(std::vector<std::string> name, RunConfig run) {
    names.push_back(std::move(name));
    run.load.users = true;
    runs.push_back(run);
    run.load.users = false;
    runs.push_back(run);
  }
  std::vector<std::vector<std::string>> filled(const TableConfig& config) const {
    const Outcomes outcomes = run_all(runs, config);
    auto rows = names;
    for (std::size_t at = 0; at < rows.size(); ++at) {
      add_figures(rows[at], outcomes[2 * at]);
      add_figures(rows[at], outcomes[2 * at + 1]);
    }
    return rows;
  }
};

}  // namespace

Result<Table> policies_table(const TableConfig& config, bool least) {
  const auto hour = hour_load(config.traces + kSustained);
  if (!hour) return hour.error();
  const std::vector<SimPolicy> policies{
      kVmOnly, kOverProvisioned, kServerlessOnly, kL7Lag, kL7, kFormula, kCap, kCapLearned};
  std::vector<RunConfig> runs;
  for (const SimPolicy policy : policies) {
    for (const bool users : {true, false}) {
      runs.push_back(run_of(policy, with_users(*hour, users)));
    }
    RunConfig steady = run_of(policy, steady_load(0.8 * MachineConfig{}.capacity_rps(), 600));
    steady.node.autoscaled = false;
    runs.push_back(steady);
  }
  for (RunConfig& run : runs) run.node.machines.least = least;
  const Outcomes outcomes = run_all(runs, config);
  Table table{
      least ? "policies" : "policies-hash",
      std::string("Policies on the sustained spike, a whole hour; pods by ") +
          (least ? "the less loaded of two" : "hash alone"),
      "cost: serverless requests in % of the calm fleet's hour (4 nodes); false spill: share "
      "of requests at 0.8 of capacity, stationary, 10 min; timeout: 10 s.",
      {"policy", "users: peak P95 ms", "users: vs vm-only", "users: s P95 > SLO",
       "users: serverless requests", "users: cost", "open: peak P95 ms", "open: s P95 > SLO",
       "open: serverless requests", "open: cost", "false spill"},
      {}};
  const double base = median_of(figures(outcomes[0], peak_p95));
  for (std::size_t at = 0; at < policies.size(); ++at) {
    const auto& users = outcomes[3 * at];
    const auto& open = outcomes[3 * at + 1];
    const auto false_spill = figures(outcomes[3 * at + 2], [](const RunOutcome& outcome) {
      return 100 * spilled(outcome) / static_cast<double>(outcome.summary.total.requests);
    });
    const auto cost = [](const std::vector<RunOutcome>& of) {
      return percent(median_of(figures(of, serverless_part)));
    };
    table.rows.push_back({std::string(to_word(policies[at])), spread(figures(users, peak_p95)),
                          percent(median_of(figures(users, peak_p95)) / base - 1, 0),
                          spread(figures(users, seconds_over)), spread(figures(users, spilled)),
                          cost(users), spread(figures(open, peak_p95)),
                          spread(figures(open, seconds_over)), spread(figures(open, spilled)),
                          cost(open), spread(false_spill, 3) + " %"});
  }
  return table;
}

Result<Table> capacity_table(const TableConfig& config) {
  const auto load = spike_load(config.traces + kSustained, kBefore, kAfter);
  if (!load) return load.error();
  Rows rows;
  for (const SimPolicy policy : {kL7Lag, kL7, kFormula, kCap}) {
    for (const double told : {0.8 * 0.92, 0.92, 1.0, 1.2 * 0.92}) {
      RunConfig run = run_of(policy, *load);
      run.node.told = told;
      rows.add({std::string(to_word(policy)), percent(told)}, run);
    }
  }
  rows.add({std::string(to_word(kCapLearned)), "not told"}, run_of(kCapLearned, *load));
  return Table{
      "capacity-error", "The capacity believed against the true one, -60...+240 s",
      "believed: of the true capacity; 92 % is what a profile is taken to say, the others are 20 % "
      "less, all of it, and 20 % more. cap is told its workers rightly.",
      columns({"policy", "believed"}), rows.filled(config)};
}

Result<Table> slow_table(const TableConfig& config) {
  constexpr int kFrom = 60;
  constexpr int kTo = 180;
  Load load = steady_load(200, 360);
  load.onset_s = kFrom;
  Rows rows;
  for (const SimPolicy policy :
       {kVmOnly, kOverProvisioned, kL7Lag, kL7, kFormula, kCap, kCapLearned}) {
    for (const double factor : {2.0, 3.0}) {
      RunConfig run = run_of(policy, load);
      run.node.machines.slow = {kFrom * kSecondNs, kTo * kSecondNs, factor};
      char text[16];
      std::snprintf(text, sizeof(text), "%.0fx", factor);
      rows.add({std::string(to_word(policy)), text}, run);
    }
  }
  return Table{"slow-vms", "VMs become slower for two minutes, 200 requests a second all the while",
               "second 60 to 180; HPA free from second 30 on.", columns({"policy", "slower"}),
               rows.filled(config)};
}

Result<Table> connections_table(const TableConfig& config) {
  const auto load = spike_load(config.traces + kSustained, kBefore, kAfter);
  if (!load) return load.error();
  Rows rows;
  for (const SimPolicy policy : {kVmOnly, kFormula, kCap}) {
    for (const char* mode : {"new", "keep=10", "keep=100", "keep=1000", "pool=64"}) {
      for (const bool move : {false, true}) {
        if (move && (policy == kVmOnly || std::string_view(mode) == "new")) continue;
        RunConfig run = run_of(policy, *load);
        run.node.connections = *lab::ConnectionMode::parse(mode);
        run.node.move = move;
        rows.add({std::string(to_word(policy)), mode, move ? "close" : "none"}, run);
      }
    }
  }
  return Table{"connections", "Requests on a connection stay where it is, -60...+240 s",
               "keep=K: a connection ends after K requests; pool=M: M connections that never end, "
               "requests wait for one; move: open connections are told to close.",
               columns({"policy", "connections", "move"}), rows.filled(config)};
}

Result<Table> cold_table(const TableConfig& config) {
  const auto load = spike_load(config.traces + kSustained, kBefore, kAfter);
  if (!load) return load.error();
  struct Start {
    const char* name;
    double cold_ms;
    std::uint32_t prewarmed;
  };
  const Start starts[] = {{"warm", 0, 0},
                          {"cold 250 ms", 250, 0},
                          {"cold 250 ms, 8 kept warm", 250, 8},
                          {"cold 1500 ms", 1500, 0},
                          {"cold 1500 ms, 8 kept warm", 1500, 8}};
  Rows rows;
  for (const SimPolicy policy : {kL7Lag, kFormula, kCap}) {
    for (const Start& start : starts) {
      RunConfig run = run_of(policy, *load);
      run.node.functions.cold_ms = start.cold_ms;
      run.node.functions.prewarmed = start.prewarmed;
      rows.add({std::string(to_word(policy)), start.name}, run);
    }
  }
  return Table{"cold", "Warm against cold functions, -60...+240 s",
               "one request an instance; instances are kept for 300 s.",
               columns({"policy", "functions"}), rows.filled(config)};
}

}  // namespace flare::eval
