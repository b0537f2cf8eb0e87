// Which entries of the catalogue survived their faults, by the tests that were run.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "trust/catalogue.h"
#include "trust/results.h"

namespace flare::trust {

/// Whether a pattern of GoogleTest's filters fits the whole of `name`.
bool fits(std::string_view pattern, std::string_view name);

enum class Verdict {
  kSurvived,  ///< all of its tests ran and passed
  kFailed,    ///< one failed, or none could be found
  kSkipped,   ///< one was skipped
  kNotRun,    ///< a program of its tests was not run
  kOpen,      ///< nothing closes it, and the catalogue says why
};
/// `survived`, `FAILED`, ...
std::string_view word_of(Verdict verdict);

struct EntryResult {
  Entry entry;
  Verdict verdict = Verdict::kOpen;
  unsigned ran = 0, passed = 0, skipped = 0;
  std::vector<std::string> failed;                           ///< tests
  std::vector<std::string> not_run;                          ///< programs
  std::vector<std::pair<std::string, std::string>> figures;  ///< in the catalogue's order
};

struct BlockResult {
  Block block;
  std::vector<EntryResult> entries;

  unsigned count(Verdict verdict) const;
  unsigned survived() const { return count(Verdict::kSurvived); }
  /// Entries whose fault was produced to its end.
  unsigned tried() const { return survived() + count(Verdict::kFailed); }
};

struct Report {
  std::vector<BlockResult> blocks;
  Runs runs;
  /// Where the catalogue and the tests have drifted apart: patterns that fit no test, figures that
  /// no test recorded. A sentence each, with file and line.
  std::vector<std::string> drift;

  /// No entry failed, and nothing has drifted.
  bool holds() const;
};

Report judge(const std::vector<Block>& catalogue, Runs runs);

}  // namespace flare::trust
