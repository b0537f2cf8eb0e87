// The soak: an hour of datagrams and open connections through a balancer, a fault every 30 seconds.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "e2e/lab.h"
#include "faults.h"
#include "known_drops.h"
#include "vitals.h"

namespace flare::test {

struct SoakPlan {
  double seconds = 3600;
  double rate = 200'000;
  double every = 30;         ///< seconds from fault to fault
  std::size_t streams = 40;  ///< TCP connections held open
  Attach attach = Attach::kXdp;
  std::string breaks;  ///< see breakage()
  /// Asked each second or so between faults: whether to end before the time.
  std::function<bool()> is_told_to_end;
};

/// A fault and all of its windows.
struct FaultRow {
  std::string name, may_lose;
  std::uint64_t times = 0;
  WindowCount count;
};

struct SoakResult {
  std::vector<FaultRow> faults;
  WindowCount calm;  ///< between faults
  std::uint64_t calm_windows = 0;
  std::uint64_t late = 0;  ///< datagrams that came after all, when their window had been looked at
  KnownDrops drops;        ///< of anybody's packets; restarts and what may lose left out
  std::uint64_t flows = 0, moved = 0, repeated = 0, corrupt = 0;
  std::vector<std::uint64_t> by_sink;
  std::uint64_t streams = 0, exchanges = 0, resets = 0, changed = 0;
  double longest_wait = 0;
  /// Of flared's last process, which lives for the second half of the time.
  Trend memory, descriptors;
  /// Of the whole time.
  Trend maps, map_bytes;
  std::string failure;  ///< why it ended early
};

/// `progress` is told each line as it is known.
SoakResult run_soak(const SoakPlan& plan, const std::function<void(const std::string&)>& progress);

}  // namespace flare::test
