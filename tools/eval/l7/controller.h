// The paper's controller: each second the formula over what the proxy counted, in force after the
// pipeline's lag. No clock, no socket.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "eval/l7/haproxy.h"

namespace flare::eval {

struct ControllerConfig {
  double pod_capacity_rps = 50.4;  ///< that one VM server is told to serve
  std::uint64_t lag_ns = 0;  ///< from the sample to the weight in force (scrape, window, push)
  double significance = 0;   ///< as FormulaConfig::significance; 0 is the paper's letter
};

/// What the controller thinks after a sample.
struct ControllerState {
  double arrivals_rps = 0;  ///< of the last interval, both tiers
  double capacity_rps = 0;
  double wanted = 0;   ///< share for serverless by the newest sample
  double applied = 0;  ///< share that must be in force now
};

class Controller {
 public:
  explicit Controller(const ControllerConfig& config) : config_(config) {}

  /// Takes the counts at `now_ns` and says what must be in force. The first sample only starts the
  /// count. Counts that are lower than before mean a proxy that was started again: they start anew.
  ControllerState step(const ProxyCounts& counts, std::uint64_t now_ns);

 private:
  struct Decision {
    std::uint64_t in_force_ns;
    double share;
  };

  ControllerConfig config_;
  std::optional<std::uint64_t> last_requests_;
  std::uint64_t last_ns_ = 0;
  std::uint64_t arrivals_before_ = 0;
  std::uint64_t elapsed_before_ns_ = 0;  ///< 0: there was no interval before
  std::deque<Decision> under_way_;
  ControllerState state_;
};

}  // namespace flare::eval
