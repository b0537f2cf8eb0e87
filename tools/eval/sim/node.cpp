#include "eval/sim/node.h"

#include <algorithm>

namespace flare::eval {
namespace {

using Kind = lab::ConnectionMode::Kind;

constexpr std::uint32_t kNone = UINT32_MAX;

/// They have no limit of their own: the datapath minds the same one.
lab::InstanceConfig instances_of(const FunctionConfig& config, std::uint64_t seed) {
  lab::InstanceConfig instances;
  instances.cold_starts = {seed, config.cold_ms, config.cold_sigma};
  instances.prewarmed = config.prewarmed;
  return instances;
}

/// The instances' clock is above 0.
std::uint64_t instance_ns(std::int64_t now_ns) {
  return static_cast<std::uint64_t>(now_ns + 1'000'000 * kSecondNs);
}

/// The metrics that are exported: a policy that hides load from the VM tier tells all of it.
AutoscalerConfig fleet_of(const NodeConfig& config) {
  AutoscalerConfig fleet = config.fleet;
  fleet.pods_at_start = config.machines.pods;
  fleet.pods_min = config.machines.pods;
  const bool hides = config.policy != SimPolicy::kVmOnly &&
                     config.policy != SimPolicy::kOverProvisioned &&
                     config.policy != SimPolicy::kServerlessOnly;
  fleet.hpa.rps_target = hides ? fleet.hpa.cpu_target * config.machines.pod_rps() : 0;
  return fleet;
}

}  // namespace

SimNode::SimNode(const NodeConfig& config, std::int64_t start_ns)
    : config_(config),
      flare_(config),
      pods_(config.machines),
      instances_(instances_of(config.functions, config.seed), instance_ns(start_ns)),
      service_times_{config.seed, config.machines.mean_ms, config.machines.sigma},
      control_ns_(start_ns),
      move_ns_(config.move ? start_ns + Flare::kMoveNs : INT64_MAX),
      observed_ns_(start_ns) {
  if (config_.autoscaled) {
    fleet_ = std::make_unique<Autoscaler>(fleet_of(config_), config_.seed, start_ns);
  }
}

std::int64_t SimNode::next_tick() const {
  const std::int64_t due_ns = std::min(control_ns_, move_ns_);
  return fleet_ ? std::min(due_ns, fleet_->next_due_ns()) : due_ns;
}

NodeOutcome SimNode::run(lab::Arrivals& arrivals, Sink& sink, std::int64_t end_ns) {
  arrivals_ = &arrivals;
  sink_ = &sink;
  std::int64_t tick_ns = next_tick();
  while (true) {
    const auto arrival = arrivals.peek();
    const std::int64_t arrival_ns = arrival ? arrival->at_ns : INT64_MAX;
    const std::int64_t departure_ns = departures_.empty() ? INT64_MAX : departures_.top().at_ns;
    const std::int64_t next_ns = std::min(arrival_ns, departure_ns);
    if (next_ns == INT64_MAX && tick_ns > end_ns) break;
    if (tick_ns <= next_ns) {
      tick(tick_ns);
      tick_ns = next_tick();
    } else if (departure_ns <= arrival_ns) {
      const Departure departure = departures_.top();
      departures_.pop();
      depart(departure);
    } else {
      arrivals.pop();
      arrive(*arrival);
    }
  }
  outcome_.requests = requests_;
  outcome_.cold_starts = instances_.cold_starts();
  outcome_.counters = flare_.counters();
  return outcome_;
}

void SimNode::arrive(const lab::Arrival& arrival) {
  const Request request{arrival, requests_++};
  if (config_.connections.kind == Kind::kNew) {
    serve(request, arrival.at_ns, kNone);
    return;
  }
  const bool pool = config_.connections.kind != Kind::kKeep;
  const bool full = pool && opened_ >= config_.connections.count;
  const bool warming = config_.connections.kind == Kind::kWarm && !full;
  while (!idle_.empty() && !warming) {
    const std::uint32_t id = idle_.back();
    idle_.pop_back();
    if (is_open(connections_[id])) return serve(request, arrival.at_ns, id);
    spare_.push_back(id);
    --opened_;
  }
  if (pool && opened_ >= config_.connections.count) {
    waiting_.push_back(request);
  } else {
    serve(request, arrival.at_ns, open_connection(arrival.at_ns));
  }
}

/// A pod that drains closes what is idle.
bool SimNode::is_open(const Connection& connection) const {
  return connection.tier != FLARE_TIER_VM || flare_.by_request() || pods_.is_open(connection.pod);
}

void SimNode::decide(Connection& connection, std::uint64_t hash, std::int64_t now_ns) {
  connection.tier = flare_.choose(hash, now_ns);
  if (connection.tier == FLARE_TIER_VM) connection.pod = pods_.choose(hash);
}

std::uint32_t SimNode::open_connection(std::int64_t now_ns) {
  std::uint32_t id = 0;
  if (spare_.empty()) {
    id = static_cast<std::uint32_t>(connections_.size());
    connections_.emplace_back();
  } else {
    id = spare_.back();
    spare_.pop_back();
  }
  ++opened_;
  connections_[id] = {};
  if (!flare_.by_request()) {
    decide(connections_[id], lab::mixed(lab::mixed(config_.seed) + dialled_++), now_ns);
  }
  return id;
}

void SimNode::serve(const Request& request, std::int64_t now_ns, std::uint32_t id) {
  Connection single;
  Connection& connection = id == kNone ? single : connections_[id];
  if (id == kNone || flare_.by_request()) {
    decide(connection, lab::mixed(lab::mixed(config_.seed) + dialled_++), now_ns);
  }
  const bool first = connection.requests++ == 0 || flare_.by_request();
  flare_.begin(connection.tier, first, now_ns);
  const std::uint64_t base_ns = service_times_.of(request.number);
  std::int64_t done_ns = now_ns;
  std::int64_t work_ns = 0;
  if (connection.tier == FLARE_TIER_VM) {
    work_ns = pods_.work_ns(base_ns, now_ns);
    PodQueue& pod = pods_.pod(connection.pod);
    ++pod.in_flight;
    done_ns = pod.add(now_ns, work_ns);
  } else {
    work_ns = static_cast<std::int64_t>(static_cast<double>(base_ns) * config_.functions.factor);
    const auto cold_ns =
        static_cast<std::int64_t>(instances_.take(instance_ns(now_ns), request.number).value_or(0));
    done_ns = now_ns + cold_ns + work_ns;
  }
  const std::int64_t timeout_ns = request.arrival.at_ns + config_.timeout_ns;
  const bool answered = done_ns < timeout_ns;
  sink_->take({request.number, static_cast<std::uint32_t>(work_ns / 1000), request.arrival.at_ns,
               done_ns, connection.tier, answered});
  departures_.push({std::min(done_ns, timeout_ns), now_ns, request.arrival, id, connection.pod,
                    connection.tier, answered});
}

void SimNode::depart(const Departure& departure) {
  flare_.end(departure.tier, departure.begun_ns, departure.at_ns, departure.answered);
  if (departure.tier == FLARE_TIER_VM) {
    --pods_.pod(departure.pod).in_flight;
  } else {
    instances_.give_back(instance_ns(departure.at_ns));
  }
  if (departure.connection != kNone) {
    const Connection& connection = connections_[departure.connection];
    const bool worn =
        config_.connections.kind == Kind::kKeep && connection.requests >= config_.connections.count;
    if (worn || !departure.answered || !is_open(connection) ||
        (!flare_.by_request() && flare_.moves(connection.tier, departure.at_ns))) {
      spare_.push_back(departure.connection);
      --opened_;
    } else {
      idle_.push_back(departure.connection);
    }
  }
  arrivals_->ended(departure.arrival, departure.at_ns);
  if (!waiting_.empty()) send_waiting(departure.at_ns);
}

void SimNode::give_up(const Request& request, std::int64_t now_ns) {
  sink_->take({request.number, 0, request.arrival.at_ns, now_ns, FLARE_TIER_VM, false});
  arrivals_->ended(request.arrival, now_ns);
}

void SimNode::send_waiting(std::int64_t now_ns) {
  while (!waiting_.empty()) {
    const Request request = waiting_.front();
    if (now_ns >= request.arrival.at_ns + config_.timeout_ns) {
      waiting_.pop_front();
      give_up(request, now_ns);
      continue;
    }
    std::uint32_t id = kNone;
    if (!idle_.empty()) {
      id = idle_.back();
      idle_.pop_back();
    } else if (opened_ < config_.connections.count) {
      id = open_connection(now_ns);
    } else {
      return;
    }
    waiting_.pop_front();
    serve(request, now_ns, id);
  }
}

void SimNode::tick(std::int64_t now_ns) {
  if (control_ns_ == now_ns) {
    flare_.control(now_ns);
    if (fleet_) observe(now_ns);
    control_ns_ += Flare::kControlNs;
  } else if (move_ns_ == now_ns) {
    flare_.steer_moves(now_ns);
    move_ns_ += Flare::kMoveNs;
  } else {
    for (const FleetEvent& event : fleet_->step(now_ns)) apply(event);
  }
}

void SimNode::apply(const FleetEvent& event) {
  outcome_.fleet.push_back(event);
  if (event.kind == FleetEventKind::kPodReady) {
    pods_.open_pod(event.pod);
  } else if (event.kind == FleetEventKind::kPodDraining) {
    pods_.close_pod(event.pod);
  } else {
    return;
  }
  flare_.tell_pods(static_cast<int>(pods_.open().size()));
}

void SimNode::observe(std::int64_t now_ns) {
  if (now_ns <= observed_ns_) return;
  cpus_.clear();
  for (const std::uint32_t index : pods_.open()) {
    PodQueue& pod = pods_.pod(index);
    cpus_.push_back({pod.id(), pod.cpu_since(observed_ns_, now_ns)});
  }
  const double seconds = static_cast<double>(now_ns - observed_ns_) / 1e9;
  const double rps = static_cast<double>(requests_ - counted_) / seconds;
  fleet_->observe(now_ns, {cpus_, rps});
  counted_ = requests_;
  observed_ns_ = now_ns;
}

}  // namespace flare::eval
