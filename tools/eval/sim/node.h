// One node over time: clients, Flare, pods, functions and autoscalers as events in order of time.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "backend/instance_pool.h"
#include "backend/service_time.h"
#include "common/random.h"
#include "eval/fleet/autoscaler.h"
#include "eval/sim/agenda.h"
#include "eval/sim/config.h"
#include "eval/sim/flare.h"
#include "eval/sim/pod_tier.h"
#include "load/arrivals.h"

namespace flare::eval {

/// A request that was sent. Times are after the start of second 0.
struct Served {
  std::uint32_t number = 0;
  std::uint32_t work_us = 0;
  std::int64_t intended_ns = 0;
  std::int64_t done_ns = 0;
  flare_tier tier = FLARE_TIER_VM;
  bool answered = false;  ///< before the client gave up
};

class Sink {
 public:
  virtual ~Sink() = default;
  virtual void take(const Served& served) = 0;
};

/// What a run was besides its requests.
struct NodeOutcome {
  std::vector<FleetEvent> fleet;
  std::uint64_t requests = 0;
  std::uint64_t cold_starts = 0;
  flare_service_counters counters{};
};

class SimNode {
 public:
  /// Its clocks start at `start_ns`.
  SimNode(const NodeConfig& config, std::int64_t start_ns);

  /// Runs until there is nothing more to send and all was answered, and the autoscalers until
  /// `end_ns`.
  NodeOutcome run(lab::Arrivals& arrivals, Sink& sink, std::int64_t end_ns);

 private:
  struct Connection {
    flare_tier tier = FLARE_TIER_VM;
    std::uint32_t pod = 0;
    std::uint32_t requests = 0;
  };
  struct Departure {
    std::int64_t at_ns;
    std::int64_t begun_ns;
    lab::Arrival arrival;
    std::uint32_t connection;
    std::uint32_t pod;
    flare_tier tier;
    bool answered;
  };
  struct Request {
    lab::Arrival arrival;
    std::uint32_t number;
  };

  void arrive(const lab::Arrival& arrival);
  void send(const Request& request, std::int64_t now_ns, std::uint32_t connection);
  void serve(const Request& request, std::int64_t now_ns, std::uint32_t id);
  void depart(const Departure& departure);
  void give_up(const Request& request, std::int64_t now_ns);
  void send_waiting(std::int64_t now_ns);
  std::uint32_t open_connection(std::int64_t now_ns);
  bool is_open(const Connection& connection) const;
  void decide(Connection& connection, std::uint64_t hash, std::int64_t now_ns);
  void tick(std::int64_t now_ns);
  void apply(const FleetEvent& event);
  void observe(std::int64_t now_ns);
  std::int64_t next_tick() const;

  NodeConfig config_;
  Flare flare_;
  PodTier pods_;
  lab::InstancePool instances_;
  lab::ServiceTimes service_times_;
  std::unique_ptr<Autoscaler> fleet_;
  lab::Arrivals* arrivals_ = nullptr;
  Sink* sink_ = nullptr;

  Agenda<Departure> departures_;
  std::vector<Connection> connections_;
  std::vector<std::uint32_t> idle_;   ///< the one used last is used first
  std::vector<std::uint32_t> spare_;  ///< numbers of connections that are closed
  std::uint32_t opened_ = 0;          ///< connections open now
  std::uint64_t dialled_ = 0;         ///< connections ever
  std::deque<Request> waiting_;
  std::uint32_t requests_ = 0;
  std::uint64_t counted_ = 0;  ///< requests at the last observation
  std::int64_t control_ns_;
  std::int64_t move_ns_;
  std::int64_t observed_ns_;
  std::vector<PodCpu> cpus_;
  NodeOutcome outcome_;
};

}  // namespace flare::eval
