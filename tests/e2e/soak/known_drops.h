// Packets that somebody counted as dropped: a loss of the soak is one of these, or a riddle.
#pragma once

#include <cstdint>

#include "soak_lab.h"

namespace flare::test {

struct KnownDrops {
  /// By this machine's queues of received packets (net.core.netdev_max_backlog, one for each CPU
  /// and for all namespaces), which other processes fill, too.
  std::uint64_t backlog = 0;
  /// By full sockets of the datagrams' both ends.
  std::uint64_t sockets = 0;
  /// By the datapath, for any reason of it.
  std::uint64_t datapath = 0;
};

/// Since the machine, or the lab, began. Needs a loaded datapath; throws without.
KnownDrops known_drops(const SoakLab& soak);

/// What came between two of them.
KnownDrops operator-(const KnownDrops& after, const KnownDrops& before);
KnownDrops& operator+=(KnownDrops& sum, const KnownDrops& more);

}  // namespace flare::test
