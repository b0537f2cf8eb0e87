// Ends of flared that follow each other quickly, and how long the next start waits for that.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>

#include "base/result.h"

namespace flare {

/// Counts starts in a file of the state directory until one has lasted.
class BackOff {
 public:
  /// A start that has lasted so long was a good one.
  static constexpr std::chrono::seconds kLasts{10};

  explicit BackOff(const std::filesystem::path& state_dir) : file_(state_dir / "starts") {}

  /// Counts a start, and says how long it has to wait: not after the first short one, as the
  /// service manager waits a second itself; then 1, 3, 7, 15 and 29 seconds.
  Result<std::chrono::seconds> begin() const;
  /// It has lasted, or ended as it was told to: the next one does not wait.
  Result<void> forget() const;

 private:
  std::filesystem::path file_;
};

}  // namespace flare
