// The programs that are measured, by hook, and the one call that runs them.
#pragma once

#include <cstdint>
#include <memory>

#include "bench/bpf/plan.h"
#include "support/packet.h"
#include "world.h"

namespace flare::bench {

enum class Program : std::uint8_t {
  kFloor,    ///< returns "pass" and does nothing else
  kRestore,  ///< makes the packet new, counts a pass
  kCore,     ///< makes the packet new, runs the datapath's core, counts its verdict
  kShipped,  ///< the product's own program; the packet is made new by nobody
};

/// The benchmark's own programs, sharing the maps of the shipped ones.
class Programs {
 public:
  /// `world` outlives it. Throws std::runtime_error where the kernel refuses.
  explicit Programs(World& world);
  ~Programs();

  /// What the restoring programs of this hook start each packet from; also zeroes the tally's
  /// counts.
  void plan(flare_hook hook, const bench_plan& plan);
  /// Counts since the last plan().
  bench_tally tally(flare_hook hook) const;

  /// Runs the program `repeat` times in the kernel. Returns ns a packet, as the kernel's own clock
  /// has it (whole ns, rounded down); `*verdict` is the last packet's.
  std::uint32_t run(Program program, flare_hook hook, const test::Bytes& frame,
                    std::uint32_t repeat, std::uint32_t* verdict) const;

 private:
  struct Skeletons;
  int fd_of(Program program, flare_hook hook) const;

  World& world_;
  std::unique_ptr<Skeletons> skeletons_;
};

}  // namespace flare::bench
