// What metrics server, horizontal pod autoscaler and cluster autoscaler together make of a load:
// events of nodes and pods. No clock and no socket: times are nanoseconds of one clock that only
// grows, whatever it is, and may be negative.
//
//   Autoscaler fleet(config, seed, now);
//   fleet.observe(now, metrics);             // at any moment, a second apart say
//   for (auto& event : fleet.step(now)) ...  // what became due until now, in order of time
//
// A caller that cannot wait for next_due_ns() steps late: the events say when they were due.
#pragma once

#include <cstdint>
#include <vector>

#include "eval/fleet/cluster.h"
#include "eval/fleet/config.h"
#include "eval/fleet/hpa.h"
#include "eval/fleet/metrics.h"

namespace flare::eval {

class Autoscaler {
 public:
  /// The loops' phases and the boot times are drawn from the seed. The pods at the start are 1, 2,
  /// ... on nodes 1, 2, ...; there are no events of them.
  Autoscaler(const AutoscalerConfig& config, std::uint64_t seed, std::int64_t start_ns);

  void observe(std::int64_t now_ns, const Metrics& metrics) { metrics_.observe(now_ns, metrics); }
  std::vector<FleetEvent> step(std::int64_t now_ns);
  std::int64_t next_due_ns() const;

  const std::vector<Pod>& pods() const { return cluster_.pods(); }
  const std::vector<Node>& nodes() const { return cluster_.nodes(); }
  int pods_ready() const { return cluster_.pods_ready(); }
  int pods_wanted() const { return cluster_.pods_wanted(); }

 private:
  void sync(std::int64_t now_ns);
  PodFigure figure_of(const Pod& pod, std::int64_t now_ns) const;

  AutoscalerConfig config_;
  MetricsServer metrics_;
  Hpa hpa_;
  Cluster cluster_;
  std::int64_t scrape_ns_;
  std::int64_t sync_ns_;
  std::int64_t scan_ns_;
};

}  // namespace flare::eval
