// What flare_bench measures: each case is a packet, how it changes from one to the next, what must
// become of it, and what state the maps are in.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/bpf/plan.h"
#include "support/packet.h"
#include "world.h"

namespace flare::bench {

struct Case {
  std::string key;    ///< stable name in bench.json; docs/performance.md lists them
  std::string title;  ///< the row of the table for people
  flare_hook hook = FLARE_HOOK_XDP;
  test::Packet packet;
  bench_shape shape = BENCH_FIXED;
  std::uint32_t flows = 1;                    ///< a power of two; how many the packets walk over
  std::uint32_t addr_base = 0;                ///< host order; see struct bench_plan
  flare_reason reason = FLARE_REASON_NOT_IP;  ///< that every packet must be counted under
  bench_verdict verdict = BENCH_PASS;         ///< that every packet must get
  std::uint32_t packets = 200'000;            ///< in one round
  bool empty_embryos = false;                 ///< before each round: the packets fill `embryos`
};

/// Cases that share one state of the maps.
struct Phase {
  std::string title;
  FlowSet spilled;
  std::vector<Case> cases;
};

/// All of them, for the ingress hooks and tc egress.
std::vector<Phase> all_phases();

}  // namespace flare::bench
