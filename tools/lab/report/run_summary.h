// What the report needs of a run: flare-load's summary, read back and checked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace flare::lab {

/// One second of intended starts. A percentile that is absent is infinite.
struct RunSecond {
  double rate = 0;
  std::uint64_t requests = 0;
  std::uint64_t vm = 0;
  std::uint64_t serverless = 0;
  std::uint64_t failed = 0;
  std::optional<double> p50_ms;
  std::optional<double> p95_ms;
};

struct RunSummary {
  std::string label;
  std::string mode;
  std::string connections;
  double objective_ms = 0;
  std::uint64_t requests = 0;
  std::uint64_t serverless = 0;
  std::uint64_t serverless_billed_ms = 0;
  std::uint64_t failed = 0;
  std::uint64_t over_objective = 0;
  std::uint64_t lead_in_serverless = 0;
  std::uint64_t lead_in_failed = 0;
  std::optional<double> peak_p50_ms;
  std::optional<double> peak_p95_ms;
  int seconds_p50_over = 0;
  int seconds_p95_over = 0;
  double lateness_p50_ms = 0;
  double lateness_p99_ms = 0;
  double lateness_max_ms = 0;
  bool is_void = false;  ///< the generator was late, or the run was interrupted
  std::vector<RunSecond> seconds;
};

/// Reads a summary of schema flare-load/1. An error names the file and what is missing.
Result<RunSummary> read_run(const std::filesystem::path& path);

}  // namespace flare::lab
