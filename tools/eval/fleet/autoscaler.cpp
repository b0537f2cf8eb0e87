#include "eval/fleet/autoscaler.h"

#include <algorithm>

#include "common/random.h"

namespace flare::eval {
namespace {

/// The first turn of a loop: anywhere within its period, after the start.
std::int64_t first_turn(std::int64_t start_ns, std::int64_t period_ns, lab::Random& random) {
  return start_ns + 1 +
         static_cast<std::int64_t>(random.uniform() * static_cast<double>(period_ns));
}

}  // namespace

Autoscaler::Autoscaler(const AutoscalerConfig& config, std::uint64_t seed, std::int64_t start_ns)
    : config_(config),
      metrics_(start_ns),
      hpa_(config.hpa, config.pods_min, config.pods_max),
      cluster_(config.cluster, config.pods_at_start, config.pods_min, seed, start_ns) {
  lab::Random random(lab::mixed(seed));
  scrape_ns_ = first_turn(start_ns, config_.metrics_ns, random);
  sync_ns_ = first_turn(start_ns, config_.hpa.sync_ns, random);
  scan_ns_ = first_turn(start_ns, config_.cluster.scan_ns, random);
}

std::int64_t Autoscaler::next_due_ns() const {
  return std::min({scrape_ns_, sync_ns_, scan_ns_, cluster_.next_due_ns()});
}

std::vector<FleetEvent> Autoscaler::step(std::int64_t now_ns) {
  for (std::int64_t due_ns = next_due_ns(); due_ns <= now_ns; due_ns = next_due_ns()) {
    if (cluster_.next_due_ns() == due_ns) {
      cluster_.advance();
    } else if (scrape_ns_ == due_ns) {
      metrics_.scrape(due_ns);
      scrape_ns_ += config_.metrics_ns;
    } else if (sync_ns_ == due_ns) {
      sync(due_ns);
      sync_ns_ += config_.hpa.sync_ns;
    } else {
      cluster_.scan(due_ns);
      scan_ns_ += config_.cluster.scan_ns;
    }
  }
  return cluster_.take_events();
}

PodFigure Autoscaler::figure_of(const Pod& pod, std::int64_t now_ns) const {
  using State = PodFigure::State;
  if (pod.state != Pod::State::kReady) return {State::kUnready, 0};
  const auto cpu = metrics_.cpu_of(pod.id);
  if (!cpu) return {State::kMissing, 0};
  const std::int64_t started_ns = pod.ready_ns - config_.cluster.pod_start_ns;
  const bool young = now_ns < started_ns + config_.hpa.cpu_initialization_ns;
  const bool whole_window = cpu->taken_ns >= pod.ready_ns + config_.metrics_ns;
  if (young && !whole_window) return {State::kUnready, 0};
  return {State::kReady, cpu->value};
}

void Autoscaler::sync(std::int64_t now_ns) {
  if (now_ns < config_.hpa.hold_until_ns) return;
  const int current = cluster_.pods_wanted();
  std::vector<PodFigure> figures;
  for (const Pod& pod : cluster_.pods()) {
    if (pod.state != Pod::State::kDraining) figures.push_back(figure_of(pod, now_ns));
  }
  std::vector<int> proposals;
  bool some_failed = false;
  if (const auto pods = pods_by_cpu(figures, current, config_.hpa)) {
    proposals.push_back(*pods);
  } else {
    some_failed = true;
  }
  if (config_.hpa.rps_target > 0) {
    if (const auto rps = metrics_.total_rps()) {
      proposals.push_back(pods_by_rps(rps->value, current, config_.hpa));
    } else {
      some_failed = true;
    }
  }
  const int wanted = hpa_.decide(now_ns, current, proposals, some_failed);
  if (wanted != current) cluster_.scale_to(now_ns, wanted);
}

}  // namespace flare::eval
