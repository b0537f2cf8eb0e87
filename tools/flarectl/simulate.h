// Which way a new packet of a flow would go, step by step, changing nothing. The arithmetic is the
// datapath's own (select.bpf.h); the order of the steps is that of admit.bpf.h and ingress.bpf.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "flarectl/view.h"

namespace flare::ctl {

/// One step of the decision, in words and as a key with what was found.
struct SimulatedStep {
  std::string step;     ///< stable key: "service", "flow", "share", "bucket", ...
  std::string finding;  ///< a sentence
};

struct Simulation {
  std::string verdict;  ///< "pass", "vm", "serverless", "reject", "drop", "answer", "unknown"
  std::string
      reason;  ///< the word of FLARE_REASONS that the packet would be counted under; empty: unknown
  std::string service;  ///< empty: none
  std::string backend;  ///< of the serverless tier; empty: none
  std::string snat;     ///< where the first port that looks free lies; empty: none
  std::uint64_t hash = 0;
  std::vector<SimulatedStep> steps;
};

struct SimulatedPacket {
  Endpoint source;
  Endpoint destination;
  std::uint8_t protocol = 6;
};

/// Fails where a selection table cannot be read. Knows receivers alone.
Result<Simulation> simulate(const Maps& maps, const SimulatedPacket& packet, std::uint64_t now_ns);

}  // namespace flare::ctl
