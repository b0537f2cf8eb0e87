// One agent a host: two writers of one set of maps would undo each other's work, and the kernel
// accepts a second program beside ours on tcx.
#pragma once

#include <filesystem>

#include "base/result.h"
#include "base/unique_fd.h"

namespace flare {

/// Holds the lock as long as it lives; the kernel lets it go with the process, however it ends.
class InstanceLock {
 public:
  /// Locks `folder`/lock without waiting. The error names the process that holds it.
  static Result<InstanceLock> on_folder(const std::filesystem::path& folder);
  /// Locks the folder itself, for a file system that holds no plain files (bpffs).
  static Result<InstanceLock> on_pins(const std::filesystem::path& folder);

 private:
  explicit InstanceLock(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

}  // namespace flare
