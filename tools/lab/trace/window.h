// Where a trace's spike begins, and the scaled rates of a window around it. Time is never
// compressed: a second of the trace is a second of the replay.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"

namespace flare::lab {

struct WindowConfig {
  double calm_rps = 200;    ///< what the median of the calm part is scaled to
  int calm_seconds = 1500;  ///< length of the calm part at the trace's beginning
  int before = 30;          ///< seconds of the window before the onset
  int after = 90;           ///< and from it on
  /// The rates are a centred moving mean of so many seconds (odd). A trace of counts carries the
  /// noise of counting; scaled up, that noise is more than a real load of that rate would have,
  /// and replaying adds its own. 1 takes the counts as they are.
  int smooth = 3;
};

struct Window {
  double calm_median = 0;  ///< of the trace, unscaled
  double scale = 0;
  int onset = 0;       ///< first second of the trace whose mean of 10 s is over 1.35 x calm
  int jump = 0;        ///< first second of the rise that led to it: over 1.35 x calm by itself
  int first = 0;       ///< second of the trace that is second 0 of the window
  int calm_until = 0;  ///< seconds of the window before this one have nothing of the rise in them
  std::vector<double> rates;
};

/// Cuts the window out of `trace` (a count a second). An error where the trace has no onset after
/// its calm part, or ends too early.
Result<Window> cut_window(const std::vector<double>& trace, const WindowConfig& config);

/// All but the rates, for the report.
nlohmann::json to_json(const Window& window);

}  // namespace flare::lab
