// Bringing home what cannot be told to come: resets of idle connections that were spilled
// (flare_home.bpf.c).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <vector>

#include "base/result.h"
#include "flare/abi.h"
#include "kernel/idle_object.h"
#include "kernel/maps.h"

namespace flare {

/// Walks the translated flows, a part of them at a time. It uses the maps of a loaded Datapath; its
/// program is attached to nothing, and gone with this object.
class HomeReset {
 public:
  /// `maps` were opened for writing and outlive this. Needs CAP_BPF, CAP_NET_ADMIN and
  /// CAP_PERFMON.
  static Result<HomeReset> load(const std::filesystem::path& pin_dir, const Maps& maps);

  HomeReset(HomeReset&&) noexcept;
  HomeReset& operator=(HomeReset&&) noexcept;
  ~HomeReset();

  /// From which silence on a service's connections are idle; 0: none of them is reset.
  Result<void> set_bound(std::uint32_t service_id, std::uint64_t bound_ns);

  /// Goes on with the walk for some milliseconds, or to its end, and resets what is idle and shall
  /// move: at the service's own rate (flare_service.move_*). Nothing is reset where no interface is
  /// attached. Needs CAP_BPF.
  Result<ResetReport> run();

 private:
  struct State;  ///< what stays out of this header: the generated skeleton
  explicit HomeReset(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace flare
