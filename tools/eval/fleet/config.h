// The parameters of the autoscalers, with where each value is from.
//
//   [hpa]    Kubernetes 1.28, pkg/controller/podautoscaler and its defaults
//   [v2]     Kubernetes 1.28, pkg/apis/autoscaling/v2/defaults.go
//   [ms]     metrics-server, manifests and FAQ
//   [ca]     cluster-autoscaler, FAQ.md
//   [paper]  the Flare paper, section V (arXiv 2605.23707)
//   [ours]   an assumption; docs say so where results are shown
#pragma once

#include <cstdint>

namespace flare::eval {

constexpr std::int64_t kSecondNs = 1'000'000'000;

/// The horizontal pod autoscaler. Times are in nanoseconds.
struct HpaConfig {
  std::int64_t sync_ns = 15 * kSecondNs;  ///< [hpa] --horizontal-pod-autoscaler-sync-period
  double tolerance = 0.10;                ///< [hpa] --horizontal-pod-autoscaler-tolerance
  double cpu_target = 0.50;               ///< [paper]; the default would be 0.80
  /// [paper] Requests a second of one pod at which its CPU is at the target, both tiers counted;
  /// 0: no such metric is exported, CPU alone decides.
  double rps_target = 0;
  int up_percent = 100;                           ///< [v2] of the pods, in a period
  int up_pods = 4;                                ///< [v2] or so many, whichever is more
  std::int64_t up_period_ns = 15 * kSecondNs;     ///< [v2]
  std::int64_t down_window_ns = 300 * kSecondNs;  ///< [hpa] downscale stabilisation
  int down_percent = 100;                         ///< [v2]
  std::int64_t down_period_ns = 15 * kSecondNs;   ///< [v2]
  /// [hpa] --horizontal-pod-autoscaler-cpu-initialization-period. A pod that is younger has no CPU
  /// figure until one whole window of the metrics was collected since it became ready.
  std::int64_t cpu_initialization_ns = 300 * kSecondNs;
  /// [ours] Nothing is decided before this moment, so that all policies meet the spike with the
  /// same calm fleet: by chance alone a fleet that is free to scale has a spare pod or two by then.
  std::int64_t hold_until_ns = INT64_MIN;
};

/// The cluster autoscaler and the machines.
struct ClusterConfig {
  std::int64_t scan_ns = 10 * kSecondNs;  ///< [ca] --scan-interval
  /// [ca] From the scan that sees a pending pod to the request. Its SLO, 5 s on average and 30 s at
  /// most from the pod's being unschedulable, is met by the scan interval alone.
  std::int64_t request_delay_ns = 0;
  std::int64_t unneeded_ns = 600 * kSecondNs;         ///< [ca] --scale-down-unneeded-time
  std::int64_t delay_after_add_ns = 600 * kSecondNs;  ///< [ca] --scale-down-delay-after-add
  double unneeded_below = 0.5;  ///< [ca] --scale-down-utilization-threshold, of requested CPU
  int empty_at_once = 10;       ///< [ca] --max-empty-bulk-delete; nodes with pods go one by one
  /// [ours] CPU that a pod requests, of a node. Two fit, and one alone leaves it below the
  /// threshold.
  double pod_request = 0.45;
  std::int64_t boot_min_ns = 60 * kSecondNs;  ///< [ours] from the request to a node that takes pods
  std::int64_t boot_max_ns = 90 * kSecondNs;  ///< [ours] uniform between the two
  std::int64_t pod_start_ns = 8 * kSecondNs;  ///< [ours] from its place on a node to ready
  /// [ours] From draining to gone. Kubernetes gives 30 s; a pod takes no new requests meanwhile.
  std::int64_t pod_drain_ns = 30 * kSecondNs;
  int pods_per_node = 2;  ///< [ours] a t3.xlarge has 4 vCPU
};

struct AutoscalerConfig {
  HpaConfig hpa;
  ClusterConfig cluster;
  std::int64_t metrics_ns = 15 * kSecondNs;  ///< [ms] --metric-resolution in manifest and chart
  int pods_at_start = 8;  ///< [ours] ready long since, on as few nodes as hold them
  int pods_min = 8;       ///< [ours] the calm fleet is not given up
  int pods_max = 24;      ///< [ours]
};

}  // namespace flare::eval
