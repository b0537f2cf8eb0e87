// The autoscaler of the testbed: asks pods and policy, steps the fleet's rules, tells what becomes
// of it, and keeps figures for the report.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "eval/autoscaler/pods.h"
#include "eval/autoscaler/status.h"
#include "eval/fleet/autoscaler.h"

namespace flare::eval {

struct EmulatorConfig {
  AutoscalerConfig fleet;
  std::uint64_t seed = 1;
  std::int64_t zero_ns = 0;  ///< CLOCK_MONOTONIC of the run's second 0
  bool fixed = false;        ///< the fleet stays as it is
  bool cpu_only = false;     ///< the policy's total load is not exported
  PodAddresses addresses;
  std::vector<std::string> status_command;  ///< empty: there is no policy to ask
};

class Emulator {
 public:
  /// Gets each event when step() finds it due.
  using Teller = std::function<void(const FleetEvent& event)>;

  /// The rules begin kLeadNs before second 0, whenever that is: the phases of their loops belong to
  /// the seed, and are the same for all policies.
  Emulator(EmulatorConfig config, Teller tell);
  static constexpr std::int64_t kLeadNs = 20 * kSecondNs;

  /// Asks all ready pods and the policy, and gives their figures to the rules. Returns the policy's
  /// state, as a line of control.jsonl, or null.
  nlohmann::json sample(std::int64_t now_ns);
  /// Does what is due.
  void step(std::int64_t now_ns);

  /// events, samples and node_seconds from second 0 until `now_ns`: fleet.json.
  nlohmann::json figures(std::int64_t now_ns) const;

 private:
  struct Usage {
    double cpu = 0;  ///< sum over the pods
    std::uint32_t busy = 0;
    std::uint32_t waiting = 0;
  };

  Usage read_pods(std::vector<PodCpu>& cpus);
  double seconds(std::int64_t at_ns) const;

  EmulatorConfig config_;
  Teller tell_;
  Autoscaler autoscaler_;
  PodReader reader_;
  std::set<std::uint32_t> ready_;
  std::map<std::uint32_t, PodStats> last_;
  std::uint32_t nodes_at_start_;
  std::vector<FleetEvent> events_;
  nlohmann::json samples_ = nlohmann::json::array();
  std::uint64_t unread_ = 0;  ///< times that a ready pod or the policy did not answer
};

}  // namespace flare::eval
