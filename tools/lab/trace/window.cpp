#include "trace/window.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

namespace flare::lab {
namespace {

constexpr int kOnsetMeanSeconds = 10;
constexpr double kOnsetRise = 1.35;

double median(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

/// The mean of the `count` seconds from `first` on.
double mean(const std::vector<double>& trace, int first, int count) {
  const auto begin = trace.begin() + first;
  return std::accumulate(begin, begin + count, 0.0) / count;
}

std::optional<int> onset_of(const std::vector<double>& trace, int calm_seconds, double calm) {
  const int end = static_cast<int>(trace.size());
  for (int second = std::max(calm_seconds, kOnsetMeanSeconds - 1); second < end; ++second) {
    const int first = second - kOnsetMeanSeconds + 1;
    if (mean(trace, first, kOnsetMeanSeconds) > kOnsetRise * calm) return second;
  }
  return std::nullopt;
}

}  // namespace

Result<Window> cut_window(const std::vector<double>& trace, const WindowConfig& config) {
  const int length = static_cast<int>(trace.size());
  if (config.smooth < 1 || config.smooth % 2 == 0) {
    return Error("the moving mean needs an odd number of seconds");
  }
  if (config.calm_seconds < 1 || config.calm_seconds >= length) {
    return Error("the trace is not longer than its calm part");
  }
  Window window;
  window.calm_median = median({trace.begin(), trace.begin() + config.calm_seconds});
  if (window.calm_median <= 0) return Error("the calm part of the trace has no load");
  window.scale = config.calm_rps / window.calm_median;

  const auto onset = onset_of(trace, config.calm_seconds, window.calm_median);
  if (!onset) return Error("the trace has no onset after its calm part");
  window.onset = window.jump = *onset;
  const auto high = [&](int second) {
    return trace[static_cast<std::size_t>(second)] > kOnsetRise * window.calm_median;
  };
  while (window.jump > config.calm_seconds && high(window.jump - 1)) --window.jump;

  const int half = config.smooth / 2;
  window.first = *onset - config.before;
  const int end = *onset + config.after;
  if (window.first - half < 0 || end + half > length) {
    return Error("the trace does not reach around the window");
  }
  window.calm_until = window.jump - half - window.first;
  for (int second = window.first; second < end; ++second) {
    window.rates.push_back(window.scale * mean(trace, second - half, config.smooth));
  }
  return window;
}

nlohmann::json to_json(const Window& window) {
  return {{"calm_median", window.calm_median}, {"scale", window.scale},
          {"onset_second", window.onset},      {"jump_second", window.jump},
          {"first_second", window.first},      {"calm_until", window.calm_until},
          {"seconds", window.rates.size()}};
}

}  // namespace flare::lab
