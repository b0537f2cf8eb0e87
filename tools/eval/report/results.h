// The results folder: what was planned, and the runs that are there.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "eval/report/run.h"

namespace flare::eval {

struct Manifest {
  std::string commit;
  bool dirty = false;
  std::string kernel;
  std::string machine;
  int cpus = 0;
  int memory_mib = 0;
  std::int64_t started_unix = 0;
  std::string trace_file;
  std::string trace_sha256;
  double trace_scale = 0;
  double calm_rps = 0;
  int onset_trace_s = 0;
  int repetitions = 0;
  std::vector<Cell> planned;
  std::string ipvs;  ///< whether it was run too, and if not why, in words; empty: nothing is said
};

struct Results {
  Manifest manifest;
  std::map<std::string, std::vector<Run>> cells;  ///< by name, by repetition; void runs included

  /// All runs of a cell, void ones too; none where there are none.
  const std::vector<Run>& runs(const Cell& cell) const;
  std::vector<const Run*> valid_runs(const Cell& cell) const;
  /// The run whose peak P95 is the median of the valid ones; of an even number the upper of the two
  /// in the middle. Nothing where there is no valid one.
  const Run* median(const Cell& cell) const;
  bool planned(const Cell& cell) const;
  /// Why a cell has no median: it is not planned, not run, or all its runs are void.
  std::string why_missing(const Cell& cell) const;
  /// All cells that are planned or have runs, in the order of rank_of.
  std::vector<Cell> all_cells() const;
};

Result<Results> read_results(const std::filesystem::path& folder);

}  // namespace flare::eval
