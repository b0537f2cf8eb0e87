// When idle connections are reset: which services ask for it, from which silence on, how often.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>

#include "base/log.h"
#include "base/result.h"
#include "kernel/idle_reset.h"
#include "kernel/maps.h"
#include "model/config.h"

namespace flare {

class IdleMoves {
 public:
  /// `maps` were opened for writing and outlive this, as `log` does.
  IdleMoves(const Maps& maps, Logger& log) : maps_(maps), log_(log) {}

  /// Loads the program, while the process may: a reload may turn it on later. A kernel that cannot
  /// do it is told of when a service asks for it.
  void load(const std::filesystem::path& pin_dir);

  /// Walks the sockets where connections of a service that wants this shall leave the VM tier now.
  void step(const Config& config, std::uint64_t now_ns);

 private:
  using Bounds = std::map<std::uint32_t, std::uint64_t>;  ///< by service id

  Bounds wanted(const Config& config) const;
  Result<void> set_bounds(const Bounds& bounds);
  void tell(const Result<void>& outcome);

  const Maps& maps_;
  Logger& log_;
  std::optional<Result<IdleReset>> reset_;
  Bounds bounds_;                    ///< as the kernel has them
  std::uint64_t not_before_ns_ = 0;  ///< walks may take a twentieth of the time
  bool failed_ = false;
};

}  // namespace flare
