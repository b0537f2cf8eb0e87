// Flare on one node: the datapath's decision and the agent's loops, by their own code.
//
// The arithmetic of share, bucket and ramp is the kernel's (bpf/select.bpf.h), in the order of
// bpf/admit.bpf.h; capacity, workers, cap and share come from the agent's ServiceControl
// (agent/service) and what it calls in agent/control; moving from its Mover.
#pragma once

#include <cstdint>
#include <deque>

#include "control/limits.h"
#include "control/mover.h"
#include "eval/sim/config.h"
#include "flare/abi.h"
#include "model/config.h"
#include "service/service_control.h"

namespace flare::eval {

class Flare {
 public:
  /// Between two looks of the agent at its counters.
  static constexpr std::int64_t kControlNs = kSecondNs;
  static constexpr std::int64_t kMoveNs = kSecondNs / 10;

  explicit Flare(const NodeConfig& config);

  /// So many pods are ready: the control plane tells workers and capacity, where the policy is
  /// told.
  void tell_pods(int pods);

  /// The tier of a new flow; for a policy of requests, of a request.
  flare_tier choose(std::uint64_t hash, std::int64_t now_ns);
  /// A request begins, the first of its connection or another.
  void begin(flare_tier tier, bool first, std::int64_t now_ns);
  void end(flare_tier tier, std::int64_t begun_ns, std::int64_t now_ns, bool answered);
  /// Whether a connection that was just answered shall end.
  bool moves(flare_tier tier, std::int64_t now_ns);

  /// Once a second.
  void control(std::int64_t now_ns);
  /// Ten times a second, where connections are moved.
  void steer_moves(std::int64_t now_ns);

  bool by_request() const { return by_request_; }
  std::uint64_t share() const { return share_; }
  std::uint32_t cap() const { return cap_; }
  std::int64_t in_flight(flare_tier tier) const { return in_flight_[tier]; }
  const flare_service_counters& counters() const { return counters_; }

 private:
  flare_tier wish(std::uint64_t hash, std::uint64_t now);
  bool ramp_allows(std::uint64_t now);
  void steer();

  SimPolicy policy_;
  bool by_request_;
  bool enforces_ = false;  ///< the policy is one of Flare's
  ServiceConfig service_;
  ServiceControl control_;
  Mover mover_;
  double told_rps_of_pod_;
  int slots_;
  std::int64_t lag_ns_ = 0;
  struct Late {
    std::int64_t at_ns;
    std::uint64_t share;
  };
  std::deque<Late> late_;

  flare_service_counters counters_{};
  std::int64_t in_flight_[FLARE_TIERS_COUNT] = {};
  std::uint64_t timed_ = 0;
  std::uint64_t time_ns_ = 0;
  std::uint64_t moved_requests_[FLARE_TIERS_COUNT] = {};
  std::int64_t moved_ns_ = 0;

  std::uint64_t share_ = 0;
  std::uint32_t cap_ = 0;
  std::uint32_t workers_ = 0;
  RateLimit bucket_;
  RateLimit ramp_;
  RateLimit move_limit_[FLARE_TIERS_COUNT];
  bool move_gated_ = false;
  std::uint64_t bucket_time_ = 0;
  std::uint64_t ramp_time_ = 0;
  std::uint64_t ramp_peak_ = 0;
  std::uint64_t last_spill_ = 0;
  std::uint64_t move_time_[FLARE_TIERS_COUNT] = {};
};

}  // namespace flare::eval
