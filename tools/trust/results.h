// What the test programs left behind: GoogleTest's own JSON, and the results of scripts.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace flare::trust {

enum class Status { kPassed, kFailed, kSkipped };

struct TestRun {
  std::string name;  ///< as GoogleTest's filter has it: `Suite.Test`
  Status status = Status::kPassed;
  std::map<std::string, std::string> figures;
};

struct ProgramRun {
  std::string program;
  std::string when;  ///< of its start, as it wrote it; may be empty
  std::vector<TestRun> tests;
};

/// Reads what `--gtest_output=json` writes. Tests that were not run are not in it.
Result<ProgramRun> parse_gtest(std::string_view text, const std::string& program,
                               const std::string& file);

/// Reads {"program": ..., "results": [{"name": ..., "status": "passed" or "failed", "figures":
/// {...}}]}.
Result<ProgramRun> parse_results(std::string_view text, const std::string& file);

using Runs = std::map<std::string, ProgramRun>;  ///< by program

/// All of `tests` (PROGRAM.json of GoogleTest) and of `results`. A program that comes twice is an
/// error, and so are two folders without any run.
Result<Runs> read_runs(const std::filesystem::path& tests, const std::filesystem::path& results);

}  // namespace flare::trust
