#include "eval/fleet/metrics.h"

namespace flare::eval {

void MetricsServer::Sum::add(double value, double for_seconds) {
  weighted += value * for_seconds;
  seconds += for_seconds;
}

std::optional<double> MetricsServer::Sum::mean() const {
  if (seconds <= 0) return std::nullopt;
  return weighted / seconds;
}

void MetricsServer::observe(std::int64_t now_ns, const Metrics& metrics) {
  const double seconds = static_cast<double>(now_ns - observed_ns_) / 1e9;
  observed_ns_ = now_ns;
  if (seconds <= 0) return;
  for (const PodCpu& pod : metrics.pods) sums_[pod.pod].add(pod.cpu, seconds);
  if (metrics.total_rps) rps_sum_.add(*metrics.total_rps, seconds);
}

void MetricsServer::scrape(std::int64_t now_ns) {
  cpus_.clear();
  for (const auto& [pod, sum] : sums_) {
    if (const auto mean = sum.mean()) cpus_[pod] = {*mean, now_ns};
  }
  const auto rps = rps_sum_.mean();
  rps_ = rps ? std::optional(WindowMean{*rps, now_ns}) : std::nullopt;
  sums_.clear();
  rps_sum_ = {};
}

std::optional<WindowMean> MetricsServer::cpu_of(std::uint32_t pod) const {
  const auto found = cpus_.find(pod);
  if (found == cpus_.end()) return std::nullopt;
  return found->second;
}

}  // namespace flare::eval
