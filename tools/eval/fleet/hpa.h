// The horizontal pod autoscaler's arithmetic: from figures of pods to a number of pods. No clock.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "eval/fleet/config.h"

namespace flare::eval {

/// How the HPA sees a pod that is not being deleted.
struct PodFigure {
  enum class State : std::uint8_t {
    kReady,
    kUnready,  ///< pending, or no whole window of metrics since it became ready
    kMissing,  ///< it runs, but there is no metric of it
  };
  State state = State::kUnready;
  double cpu = 0;  ///< of a ready one
};

/// Pods by CPU. First the ready ones alone are compared with the target; then pods that are not
/// ready count as idle where that asks for more, and those without a metric as idle where it asks
/// for more and as busy where it asks for fewer. Where these turn the direction, or the change is
/// within the tolerance, the number stays. Nothing where no pod has a figure.
std::optional<int> pods_by_cpu(std::span<const PodFigure> pods, int current,
                               const HpaConfig& config);

/// Pods by a total that is divided among all of them (a metric of type External, AverageValue).
int pods_by_rps(double total_rps, int current, const HpaConfig& config);

/// What the HPA remembers: recommendations, and how the number was changed.
class Hpa {
 public:
  Hpa(const HpaConfig& config, int pods_min, int pods_max)
      : config_(config), pods_min_(pods_min), pods_max_(pods_max) {}

  /// The number of pods from now on. `proposals` are those of the metrics that could be read; where
  /// one could not (`some_failed`), the others may ask for more but not for fewer.
  int decide(std::int64_t now_ns, int current, std::span<const int> proposals, bool some_failed);

 private:
  struct Moment {
    std::int64_t at_ns;
    int pods;
  };

  int stabilised(std::int64_t now_ns, int current, int wanted);
  int limited(std::int64_t now_ns, int current, int wanted) const;

  HpaConfig config_;
  int pods_min_;
  int pods_max_;
  std::deque<Moment> recommended_;
  std::deque<Moment> added_;
  std::deque<Moment> removed_;
};

}  // namespace flare::eval
