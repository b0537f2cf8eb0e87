// What is simulated: machines, functions, clients, and who decides where a request goes.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "eval/fleet/config.h"
#include "load/client.h"

namespace flare::eval {

/// The enum, and the word in cells, options and tables.
#define FLARE_SIM_POLICIES(P)                                                              \
  P(kVmOnly, "vm-only")                                                                    \
  P(kOverProvisioned, "over-provisioned")                                                  \
  P(kServerlessOnly, "serverless-only")                                                    \
  P(kL7, "l7")                  /* the formula in front of a proxy, a request at a time */ \
  P(kL7Lag, "l7-lag")           /* the same, 5 s late */                                   \
  P(kFormula, "formula")        /* our datapath: formula and bucket */                     \
  P(kCap, "cap")                /* our datapath: workers told */                           \
  P(kCapLearned, "cap-learned") /* our datapath: nothing told */

enum class SimPolicy : std::uint8_t {
#define FLARE_SIM_ENUM(name, word) name,
  FLARE_SIM_POLICIES(FLARE_SIM_ENUM)
#undef FLARE_SIM_ENUM
};

std::string_view to_word(SimPolicy policy);
std::optional<SimPolicy> policy_of(std::string_view word);

/// Work takes `factor` times as long for requests that reach a pod in between.
struct Slowness {
  std::int64_t from_ns = 0;
  std::int64_t to_ns = 0;
  double factor = 1;
};

/// The VM tier at the start. Each pod is G/G/c, first come first served.
struct MachineConfig {
  int pods = 8;
  int slots = 4;        ///< c
  double mean_ms = 73;  ///< service times are the lab's, by the request's number
  double sigma = 0.30;
  bool least = true;  ///< the less loaded of two pods by hash (select: least); false: by hash alone
  Slowness slow;
  double pod_rps() const { return slots * 1000 / mean_ms; }
  double capacity_rps() const { return pods * pod_rps(); }
};

struct FunctionConfig {
  double factor = 1;        ///< service time against that of a pod
  double cold_ms = 0;       ///< the median of a start; 0: warm
  double cold_sigma = 0.4;  ///< of its logarithm
  std::uint32_t prewarmed = 0;
  bool ramp = true;  ///< 1,000 starts at once and per 10 s, beyond which the datapath does not go
};

struct NodeConfig {
  SimPolicy policy = SimPolicy::kCap;
  MachineConfig machines;
  FunctionConfig functions;
  AutoscalerConfig fleet;
  bool autoscaled = true;
  /// Capacity that formula, bucket and cap are told, over the true one: 0.92 leaves the formula
  /// room to work a queue off.
  double told = 0.92;
  double significance = 0;  ///< FormulaConfig::significance
  bool move = false;        ///< open connections are told to close (move: close)
  lab::ConnectionMode connections;
  std::int64_t timeout_ns = 10 * kSecondNs;  ///< then the client gives up
  std::uint64_t seed = 1;
};

}  // namespace flare::eval
