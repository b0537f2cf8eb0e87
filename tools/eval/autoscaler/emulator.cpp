#include "eval/autoscaler/emulator.h"

#include <optional>
#include <utility>

namespace flare::eval {

using nlohmann::json;

Emulator::Emulator(EmulatorConfig config, Teller tell)
    : config_(std::move(config)),
      tell_(std::move(tell)),
      autoscaler_(config_.fleet, config_.seed, config_.zero_ns - kLeadNs),
      reader_(config_.addresses),
      nodes_at_start_(static_cast<std::uint32_t>(autoscaler_.nodes().size())) {
  for (const Pod& pod : autoscaler_.pods()) ready_.insert(pod.id);
}

double Emulator::seconds(std::int64_t at_ns) const {
  return static_cast<double>(at_ns - config_.zero_ns) / kSecondNs;
}

Emulator::Usage Emulator::read_pods(std::vector<PodCpu>& cpus) {
  Usage usage;
  for (const std::uint32_t pod : ready_) {
    const auto stats = reader_.read(pod);
    if (!stats) {
      ++unread_;
      continue;
    }
    usage.busy += stats->busy;
    usage.waiting += stats->waiting;
    const auto last = last_.find(pod);
    const auto cpu = last == last_.end() ? std::nullopt : cpu_between(last->second, *stats);
    if (cpu) {
      cpus.push_back({pod, *cpu});
      usage.cpu += *cpu;
    }
    last_[pod] = *stats;
  }
  return usage;
}

json Emulator::sample(std::int64_t now_ns) {
  std::vector<PodCpu> cpus;
  const Usage usage = read_pods(cpus);
  std::optional<PolicyStatus> status;
  if (!config_.status_command.empty()) {
    const auto output = output_of(config_.status_command);
    const auto parsed = output ? parse_status(*output) : Result<PolicyStatus>(output.error());
    if (parsed) status = *parsed;
    if (!parsed) ++unread_;
  }
  Metrics metrics;
  metrics.pods = cpus;
  if (!config_.cpu_only && status) metrics.total_rps = status->arrivals_rps;
  autoscaler_.observe(now_ns, metrics);
  samples_.push_back(
      {{"t_s", seconds(now_ns)},
       {"pods_ready", autoscaler_.pods_ready()},
       {"pods_wanted", autoscaler_.pods_wanted()},
       {"nodes", autoscaler_.nodes().size()},
       {"cpu", cpus.empty() ? json(nullptr) : json(usage.cpu / static_cast<double>(cpus.size()))},
       {"busy", usage.busy},
       {"waiting", usage.waiting},
       {"total_rps",
        status && status->arrivals_rps ? json(*status->arrivals_rps) : json(nullptr)}});
  return status ? to_json(*status, seconds(now_ns)) : json(nullptr);
}

void Emulator::step(std::int64_t now_ns) {
  if (config_.fixed) return;
  for (const FleetEvent& event : autoscaler_.step(now_ns)) {
    events_.push_back(event);
    if (event.kind == FleetEventKind::kPodReady) ready_.insert(event.pod);
    if (event.kind == FleetEventKind::kPodDraining) {
      ready_.erase(event.pod);
      last_.erase(event.pod);
    }
    tell_(event);
  }
}

json Emulator::figures(std::int64_t now_ns) const {
  json events = json::array();
  for (const FleetEvent& event : events_) {
    json one = {
        {"t_s", seconds(event.at_ns)}, {"event", to_word(event.kind)}, {"node", event.node}};
    if (event.pod != 0) one["pod"] = event.pod;
    events.push_back(std::move(one));
  }
  return {{"events", std::move(events)},
          {"samples", samples_},
          {"unread", unread_},
          {"node_seconds", node_seconds(nodes_at_start_, events_, config_.zero_ns, now_ns)}};
}

}  // namespace flare::eval
