// The metrics server: what pods report at any moment, told on as means of whole windows.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>

namespace flare::eval {

/// What one pod reports.
struct PodCpu {
  std::uint32_t pod = 0;
  double cpu = 0;  ///< 0..1, the mean since the observation before
};

/// What is seen at one moment.
struct Metrics {
  std::span<const PodCpu> pods;     ///< those that are ready
  std::optional<double> total_rps;  ///< requests a second over both tiers, where it is exported
};

/// A figure of the last whole window.
struct WindowMean {
  double value = 0;
  std::int64_t taken_ns = 0;  ///< when the window ended
};

/// Means over the windows between scrapes. A figure that was not seen in the last window is not
/// told: a pod that is gone, or one that became ready just now.
class MetricsServer {
 public:
  explicit MetricsServer(std::int64_t start_ns) : observed_ns_(start_ns) {}

  void observe(std::int64_t now_ns, const Metrics& metrics);
  /// Ends the window.
  void scrape(std::int64_t now_ns);

  std::optional<WindowMean> cpu_of(std::uint32_t pod) const;
  std::optional<WindowMean> total_rps() const { return rps_; }

 private:
  struct Sum {
    double weighted = 0;
    double seconds = 0;
    void add(double value, double for_seconds);
    std::optional<double> mean() const;
  };

  std::int64_t observed_ns_;
  std::map<std::uint32_t, Sum> sums_;
  Sum rps_sum_;
  std::map<std::uint32_t, WindowMean> cpus_;
  std::optional<WindowMean> rps_;
};

}  // namespace flare::eval
