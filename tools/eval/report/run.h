// One run of the results folder: what it was, what was seen of fleet, controller and datapath, and
// its measures. The raw requests are not kept.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "eval/report/cell.h"
#include "eval/report/measures.h"

namespace flare::eval {

struct FleetEvent {
  double t_s = 0;
  std::string event;
};

struct FleetSample {
  double t_s = 0;
  double pods_ready = 0;
  double pods_wanted = 0;
  double nodes = 0;
};

struct Fleet {
  std::vector<FleetEvent> events;
  std::vector<FleetSample> samples;
  double node_seconds = 0;  ///< from second 0 to the end

  /// At second 0; nothing without a sample from then on.
  std::optional<double> first_nodes() const;
};

/// A line of the controller, once a second.
struct ControlSample {
  double t_s = 0;
  std::optional<double> share;  ///< 0..1
  std::optional<double> cap;
};

/// How late the load generator itself was.
struct Lateness {
  double p50_ms = 0;
  double p99_ms = 0;
  double max_ms = 0;
};

struct Run {
  Cell cell;
  int repetition = 0;
  std::uint64_t seed = 0;
  std::optional<int> onset_s;  ///< nothing where nothing happens in the run
  int seconds = 0;
  double objective_ms = 0;
  double capacity_rps = 0;
  double capacity_told_rps = 0;
  std::int64_t started_unix = 0;
  int concurrent = 1;
  double load_average = 0;
  std::vector<std::string> void_reasons;  ///< why it is not used; empty: it is

  std::optional<Lateness> lateness;  ///< all that follows may be absent in a run that is not used
  std::vector<double> rates;         ///< asked for, of each second
  Measures measures;
  Fleet fleet;
  std::vector<ControlSample> control;     ///< empty without a controller
  std::optional<std::uint64_t> over_cap;  ///< connections late, of our datapath
  std::optional<std::uint64_t> cold_starts;

  bool valid() const { return void_reasons.empty(); }
};

/// Reads `R/runs/<cell>/<repetition>`. A run that is void, or has no `run.json` yet, needs nothing
/// else in its folder; any other must be whole.
Result<Run> read_run_folder(const std::filesystem::path& folder, const Cell& cell, int repetition);

}  // namespace flare::eval
