// The running agent: what happens when a timer, a signal, a file or a command asks for it.
#pragma once

#include <filesystem>
#include <memory>

#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "discovery/file_source.h"
#include "host/saved_state.h"
#include "kernel/datapath.h"
#include "kernel/flow_sweep.h"
#include "kernel/shift_sweep.h"
#include "kernel/turn_sweep.h"
#include "loop/event_loop.h"
#include "loop/file_watch.h"
#include "loop/line_server.h"
#include "loop/network_watch.h"
#include "loop/signals.h"
#include "loop/timer.h"
#include "service/cgroups.h"
#include "service/commands.h"
#include "service/health_source.h"
#include "service/idle_moves.h"
#include "service/interfaces.h"
#include "service/service_set.h"

namespace flare {

/// Where the agent's files are, apart from what the configuration says.
struct AgentFiles {
  std::filesystem::path config;
  std::filesystem::path sysctl_root = "/proc/sys";
  std::optional<std::filesystem::path> pin_dir;  ///< instead of the configuration's
};

/// Reads the configuration as a start and a reload do. The error is every problem, one a line.
Result<Config> read_agent_config(const AgentFiles& files);

/// Joins the parts once they are made. Owns what the loop calls back.
class Agent final : public Operations {
 public:
  struct Parts {
    EventLoop& loop;
    const Clock& clock;
    Logger& log;
    Datapath& datapath;
    Tables& tables;
  };

  Agent(const Parts& parts, AgentFiles files, const HashKey& hash_key);

  /// Fills the maps.
  Result<void> fill(const Config& config);
  /// Attaches: packets arrive from here on. The last that needs CAP_PERFMON.
  Result<void> attach();
  /// Starts timers, signals, the file watch and the control socket.
  Result<void> listen();
  /// Runs until a signal ends it. Nothing is detached.
  Result<void> run();

  Result<Done> set_share(const std::string& service, std::optional<double> share) override;
  Result<Done> drain(const std::string& service, const Endpoint& backend, bool drained,
                     Generation generation) override;
  Result<Done> add_backend(const std::string& service, const Endpoint& endpoint,
                           const ToldBackend& backend, Generation generation) override;
  Result<Done> remove_backend(const std::string& service, const Endpoint& endpoint,
                              Generation generation) override;
  Result<Done> set_workers(const std::string& service, const WorkersChange& change,
                           Generation generation) override;
  Result<Done> endpoints(const std::string& service) override;
  Result<Done> report(const std::string& service, const LoadReport& load) override;
  Result<Done> health(const std::string& service) override;
  Result<Done> detach(const std::string& interface) override;
  Result<Done> reload() override;
  Result<Done> ping() override;

 private:
  Result<void> start_timers();
  void watch_health();
  void on_signal(int number);
  void on_tick();
  void keep_pinned();
  void on_sweep();
  void on_move();
  void on_recount();
  void on_network(NetworkChange change);
  Result<void> read_addresses();
  Result<void> refuse_immutable(const Config& next) const;
  Result<std::vector<std::string>> detach_from(const std::string& interface);
  Result<Done> told(const std::string& what, const Result<EndpointChange>& change);
  void remember();
  std::filesystem::path state_file() const { return config_.agent.state_dir / "state.json"; }
  std::string status() const;

  Parts parts_;
  AgentFiles files_;
  Config config_;
  ServiceSet services_;
  KernelDevices devices_;
  Interfaces interfaces_;
  Cgroups cgroups_;
  FlowSweep sweep_;
  IdleMoves idle_moves_;
  std::uint64_t started_ns_;
  std::uint64_t reloads_ = 0;
  bool tick_failed_ = false;
  bool sweep_failed_ = false;
  bool unpinned_ = false;  ///< a restart would lose flows
  bool addresses_failed_ = false;
  std::unique_ptr<Timer> tick_;
  std::unique_ptr<Timer> sweep_timer_;
  std::unique_ptr<Timer> move_timer_;
  std::unique_ptr<Timer> recount_timer_;
  std::unique_ptr<Signals> signals_;
  std::unique_ptr<FileWatch> watch_;
  std::unique_ptr<NetworkWatch> network_;
  std::unique_ptr<LineServer> control_;
  KernelHealthSource health_source_;
  std::unique_ptr<HealthWatch> health_;
};

}  // namespace flare
