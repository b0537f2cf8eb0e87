// Which cgroups' processes have their connect() directed: as configured, and again where one of
// that path comes back.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "kernel/connect_hooks.h"

namespace flare {

/// Attaches and detaches. Nothing here detaches in order to attach.
class Cgroups {
 public:
  /// `log` outlives this.
  explicit Cgroups(Logger& log) : log_(log) {}

  /// Loads the programs, while the process may: a reload may have the first cgroup. A kernel that
  /// does not take them is told of, once, when a cgroup is configured; the rest goes on.
  void load(const std::filesystem::path& pin_dir);

  /// Attaches to what `wanted` has, and detaches from what it does not have any more. A cgroup that
  /// cannot be attached is told in the log and tried again by tend().
  void apply(const std::vector<std::filesystem::path>& wanted);

  /// Attaches to cgroups that came (back) since: a unit that is started anew has a new one.
  void tend(std::uint64_t now_ns);

  /// As ConnectHooks has it.
  Result<std::size_t> keep_pinned() const;

  /// Detaches by hand from all, until the next reload. Returns their paths.
  Result<std::vector<std::string>> detach();

 private:
  void attach(const std::filesystem::path& cgroup);
  void detach_others(const std::vector<std::filesystem::path>& wanted);

  Logger& log_;
  std::filesystem::path pin_dir_;
  std::optional<Result<ConnectHooks>> hooks_;
  std::vector<std::filesystem::path> wanted_;
  std::map<std::filesystem::path, std::string> failing_;  ///< the reason that was told
  std::uint64_t not_before_ns_ = 0;
};

}  // namespace flare
