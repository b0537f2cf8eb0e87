// One service's policy over time: from counters to the share. No clock, no map.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "control/formula.h"
#include "control/limiter.h"
#include "flare/abi.h"
#include "model/config.h"

namespace flare {

/// A service at one moment, as the maps and its own account have it. Counts only grow.
struct ServiceSample {
  flare_service_counters totals{};
  std::uint64_t timed = 0;                     ///< requests of the VM tier whose time was taken
  std::uint64_t time_ns = 0;                   ///< what these took, added up
  std::optional<std::uint64_t> reported_mrps;  ///< of the VM tier, as the service tells
};

/// Whether the VM tier's workers, and so the cap, are found out from its requests.
bool learns_workers(const ServiceConfig& service);

/// Flows by FLARE_SPILL_*.
using SpillCauses = std::array<std::uint64_t, FLARE_SPILL_CAUSES_COUNT>;

/// What one interval saw and what follows from it.
struct ControlOutcome {
  std::uint64_t elapsed_ns = 0;
  std::uint64_t arrivals_mrps = 0;  ///< of both tiers: the autoscaler's figure
  std::uint64_t vm_mrps = 0;
  std::uint64_t serverless_mrps = 0;
  std::uint64_t load_mrps = 0;      ///< arrivals and their growth
  std::uint64_t wanted_share = 0;   ///< by the policy, floor included
  SpillCauses spilled{};            ///< flows spilled in the interval
  SpillCauses observed{};           ///< flows that would have been spilled
  std::uint64_t capacity_mrps = 0;  ///< as told, or as learned under cap; 0: unknown
  std::uint64_t refused = 0;
  std::uint64_t pinned = 0;  ///< requests on connections from before the last change, as a share
};

class ServiceControl {
 public:
  /// Starts from a capacity that was told, or that an earlier agent has learned.
  void believe(std::uint64_t capacity_mrps) { capacity_mrps_ = capacity_mrps; }
  std::uint64_t capacity_mrps() const { return capacity_mrps_; }
  /// Goes on from workers that an earlier agent has learned.
  void resume_workers(std::uint32_t workers, std::uint64_t base_ns) {
    limiter_.resume(workers, base_ns);
  }
  void forget_workers() { limiter_ = Limiter(); }
  /// What was learned of the workers; nothing where they are told.
  const Limiter& limiter() const { return limiter_; }

  /// Whether the policy's interval is over at `now_ns`, or will be within `slack_ns`.
  bool is_due(const ServiceConfig& service, std::uint64_t now_ns, std::uint64_t slack_ns) const;

  /// Takes the counters of `now_ns`. The first call only notes them.
  std::optional<ControlOutcome> step(const ServiceConfig& service, const ServiceSample& sample,
                                     std::uint64_t now_ns);

 private:
  void learn(const ServiceConfig& service, const ServiceSample& now, const ServiceSample& before,
             std::uint64_t elapsed_ns);

  std::optional<ServiceSample> last_;
  std::uint64_t last_ns_ = 0;
  Limiter limiter_;
  std::uint64_t capacity_mrps_ = 0;
  std::uint64_t arrivals_before_ = 0;
  std::uint64_t elapsed_before_ns_ = 0;
};

/// The share that the datapath gets: a pin as it is, nothing under observe, else what is wanted.
std::uint64_t applied_share(const ServiceConfig& service, std::optional<double> pin,
                            std::uint64_t wanted);

}  // namespace flare
