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
  /// Takes the name "flared" among the sockets of this network namespace, whose interfaces and
  /// addresses two agents would share: one in another container, with folders of its own, is met
  /// here alone. Holds nothing where a process of another user has the name: it must not be able to
  /// keep flared from starting.
  static Result<InstanceLock> on_network();

 private:
  InstanceLock() = default;
  explicit InstanceLock(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

}  // namespace flare
