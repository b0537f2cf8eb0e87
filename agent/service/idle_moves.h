// When idle connections are reset: which services ask for it, from which silence on, how often.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>

#include "base/log.h"
#include "base/result.h"
#include "kernel/home_reset.h"
#include "kernel/idle_reset.h"
#include "kernel/maps.h"
#include "model/config.h"

namespace flare {

class IdleMoves {
 public:
  /// `maps` were opened for writing and outlive this, as `log` does.
  IdleMoves(const Maps& maps, Logger& log) : maps_(maps), log_(log) {}

  /// Loads the programs, while the process may: a reload may turn it on later. A kernel that cannot
  /// do it is told of when a service asks for it.
  void load(const std::filesystem::path& pin_dir);

  /// Walks the sockets where connections of a service that wants this shall leave the VM tier now,
  /// and the translated flows where they shall leave the serverless tier.
  void step(const Config& config, std::uint64_t now_ns);

 private:
  using Bounds = std::map<std::uint32_t, std::uint64_t>;  ///< by service id

  /// What resets the connections of one tier. What fails for one does not end the other.
  template <typename Reset>
  struct Walk {
    flare_tier tier;
    std::optional<Result<Reset>> reset{};
    Bounds bounds{};                  ///< as the kernel has them
    std::uint64_t not_before_ns = 0;  ///< walks may take a twentieth of the time
    bool failed = false;
  };

  Bounds wanted(const Config& config, flare_tier tier) const;
  template <typename Reset>
  Result<void> set_bounds(Walk<Reset>& walk, const Bounds& bounds);
  template <typename Reset>
  Result<void> walk_now(Walk<Reset>& walk, std::uint64_t now_ns);
  template <typename Reset>
  void step(Walk<Reset>& walk, const Config& config, std::uint64_t now_ns);
  template <typename Reset>
  void tell(Walk<Reset>& walk, const Result<void>& outcome);

  const Maps& maps_;
  Logger& log_;
  Walk<IdleReset> out_{.tier = FLARE_TIER_VM};
  Walk<HomeReset> home_{.tier = FLARE_TIER_SERVERLESS};
};

}  // namespace flare
