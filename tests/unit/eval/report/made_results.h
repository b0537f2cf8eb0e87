// A results folder that a test makes, in the formats of docs/evaluation.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "eval/report/results.h"
#include "made_requests.h"

namespace flare::eval {

struct MadeRun {
  std::string cell = "bookinfo.spike.users.new.warm.cap";
  int repetition = 1;
  int seconds = 20;
  std::vector<lab::RequestRecord> requests;
  int nodes = 4;
  double node_seconds = 80;
  std::optional<int> over_cap = 0;
  bool is_void = false;
};

/// A folder of its own, removed at the end.
class MadeResults {
 public:
  explicit MadeResults(const std::vector<std::string>& planned);
  ~MadeResults();
  MadeResults(const MadeResults&) = delete;
  MadeResults& operator=(const MadeResults&) = delete;

  void add(const MadeRun& run) const;
  /// Writes a file of a run anew.
  void overwrite(const MadeRun& run, const std::string& file, const std::string& text) const;
  std::filesystem::path folder_of(const MadeRun& run) const;
  const std::filesystem::path& root() const { return root_; }
  Result<Results> read() const { return read_results(root_); }

 private:
  std::filesystem::path root_;
};

void write_text(const std::filesystem::path& path, const std::string& text);
std::string packed(const std::string& text);  ///< by Zstandard

}  // namespace flare::eval
