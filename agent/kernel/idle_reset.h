// Moving what cannot be told to move: resets of idle connections of the VM tier
// (flare_reset.bpf.c).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "base/result.h"
#include "flare/abi.h"
#include "kernel/idle_object.h"
#include "kernel/maps.h"

namespace flare {

/// How long a connection must have been silent before it counts as idle: four times what nearly
/// all requests of its service take, as far as is known, and 200 ms at the least.
std::uint64_t idle_bound_ns(const flare_histogram& requests);

/// The program that walks this network namespace's TCP sockets. It uses the maps of a loaded
/// Datapath; it is attached to nothing, and gone with this object.
class IdleReset {
 public:
  /// Fails where the kernel cannot do it (before Linux 6.5, or without its BTF). Needs CAP_BPF and
  /// CAP_PERFMON.
  static Result<IdleReset> load(const std::filesystem::path& pin_dir);

  IdleReset(IdleReset&&) noexcept;
  IdleReset& operator=(IdleReset&&) noexcept;
  ~IdleReset();

  /// From which silence on a service's connections are idle; 0: none of them is reset.
  Result<void> set_bound(std::uint32_t service_id, std::uint64_t bound_ns);

  /// Walks once, and resets what is idle and shall move: at the service's own rate
  /// (flare_service.move_*). Needs CAP_BPF.
  Result<ResetReport> run();

 private:
  struct State;  ///< what stays out of this header: the generated skeleton
  explicit IdleReset(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace flare
