#include "eval/fleet/hpa.h"

#include <algorithm>
#include <cmath>

namespace flare::eval {
namespace {

using State = PodFigure::State;

int count_of(std::span<const PodFigure> pods, State state) {
  return static_cast<int>(std::ranges::count(pods, state, &PodFigure::state));
}

bool within(double ratio, double tolerance) { return std::abs(1 - ratio) <= tolerance; }

/// A hair below, so that 2.0000000001 pods are two.
int rounded_up(double pods) { return static_cast<int>(std::ceil(pods - 1e-9)); }

}  // namespace

std::optional<int> pods_by_cpu(std::span<const PodFigure> pods, int current,
                               const HpaConfig& config) {
  const int ready = count_of(pods, State::kReady);
  const int unready = count_of(pods, State::kUnready);
  const int missing = count_of(pods, State::kMissing);
  if (ready == 0) return std::nullopt;
  double sum = 0;
  for (const PodFigure& pod : pods) sum += pod.state == State::kReady ? pod.cpu : 0;
  const double ratio = sum / ready / config.cpu_target;
  const bool up_with_unready = unready > 0 && ratio > 1;
  if (!up_with_unready && missing == 0) {
    return within(ratio, config.tolerance) ? current : rounded_up(ratio * ready);
  }
  int counted = ready;
  if (ratio < 1) sum += missing;  // as if they were at 100 %
  if (ratio != 1) counted += missing;
  if (up_with_unready) counted += unready;
  const double again = sum / counted / config.cpu_target;
  const bool turned = (ratio < 1 && again > 1) || (ratio > 1 && again < 1);
  if (within(again, config.tolerance) || turned) return current;
  const int wanted = rounded_up(again * counted);
  const bool against = (again < 1 && wanted > current) || (again > 1 && wanted < current);
  return against ? current : wanted;
}

int pods_by_rps(double total_rps, int current, const HpaConfig& config) {
  const double ratio = total_rps / (config.rps_target * current);
  return within(ratio, config.tolerance) ? current : rounded_up(total_rps / config.rps_target);
}

int Hpa::decide(std::int64_t now_ns, int current, std::span<const int> proposals,
                bool some_failed) {
  // The first look recommends what there is.
  if (recommended_.empty()) recommended_.push_back({now_ns, current});
  if (proposals.empty()) return current;
  const int highest = std::ranges::max(proposals);
  if (some_failed && highest < current) return current;
  const int wanted = limited(now_ns, current, stabilised(now_ns, current, highest));
  if (wanted > current) added_.push_back({now_ns, wanted - current});
  if (wanted < current) removed_.push_back({now_ns, current - wanted});
  return wanted;
}

/// Down: to the highest of the window. Up: at once.
int Hpa::stabilised(std::int64_t now_ns, int current, int wanted) {
  while (!recommended_.empty() && recommended_.front().at_ns <= now_ns - config_.down_window_ns) {
    recommended_.pop_front();
  }
  int highest = wanted;
  for (const Moment& moment : recommended_) highest = std::max(highest, moment.pods);
  recommended_.push_back({now_ns, wanted});
  return std::clamp(current, wanted, highest);
}

/// No faster than the policies allow, counted from what there was a period ago.
int Hpa::limited(std::int64_t now_ns, int current, int wanted) const {
  const auto changed = [&](const std::deque<Moment>& moments, std::int64_t period_ns) {
    int pods = 0;
    for (const Moment& moment : moments)
      pods += moment.at_ns > now_ns - period_ns ? moment.pods : 0;
    return pods;
  };
  const auto before = [&](std::int64_t period_ns) {
    return current - changed(added_, period_ns) + changed(removed_, period_ns);
  };
  if (wanted > current) {
    const int start = before(config_.up_period_ns);
    const int by_percent = rounded_up(start * (1 + config_.up_percent / 100.0));
    const int most = std::max({by_percent, start + config_.up_pods, current});
    return std::min({wanted, most, pods_max_});
  }
  if (wanted < current) {
    const int start = before(config_.down_period_ns);
    const int least = static_cast<int>(start * (1 - config_.down_percent / 100.0));
    return std::max({wanted, std::min(least, current), pods_min_});
  }
  return wanted;
}

}  // namespace flare::eval
