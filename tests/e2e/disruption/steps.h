// Open connections through a balancer while its backends, its agent and its maps change.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "e2e/lab.h"
#include "held_flows.h"

namespace flare::test {

struct DisruptionPlan {
  std::size_t flows = 2000;
  std::size_t probes = 400;  ///< new flows after each step
  Attach attach = Attach::kTc;
};

struct StepBound {
  std::string what;
  bool holds = false;
};

/// A step and what it did. `changed` is the tag of the backend that it is about; 0: of none.
struct Step {
  std::string title;
  char changed = 0;
  std::size_t open = 0;  ///< before it
  std::size_t of_changed = 0;
  Round round;
  std::uint64_t strays = 0;  ///< resets that machines other than the changed one sent meanwhile
  Tally fresh;               ///< new flows after it
  std::vector<StepBound> bounds;
};

/// The maps were taken away and the agent started anew.
struct LostMaps {
  Step step;
  std::uint64_t other_ports = 0;  ///< flows whose first NAT port was taken when they were opened
};

struct DisruptionRun {
  std::string snat;
  std::vector<Step> steps;
  LostMaps lost;
};

/// Builds a lab of its own for each part. `progress` is told each step as it is done.
DisruptionRun run_disruption(const std::string& snat, const DisruptionPlan& plan,
                             const std::function<void(const Step&)>& progress);

}  // namespace flare::test
