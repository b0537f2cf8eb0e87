// All services: from the configuration into the maps, and from interval to interval.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "base/siphash.h"
#include "health/health_watch.h"
#include "host/saved_state.h"
#include "model/config.h"
#include "service/compose.h"
#include "service/endpoints.h"
#include "service/identity.h"
#include "service/load_report.h"
#include "service/service_control.h"
#include "service/spill_watch.h"
#include "service/tables.h"

namespace flare {

/// What changed: for people and for `flarectl -o json`.
struct ShareChange {
  double before = 0;  ///< applied share
  double after = 0;
  bool overrides_observe = false;
};

/// Requests in flight by the service's own account, before a report and after it.
struct ReportChange {
  std::uint64_t before = 0;
  std::uint64_t after = 0;
  std::optional<double> requests_rps;  ///< nothing until two counts were told
};

/// A backend as it is in force, and whose word put it there.
struct EndpointView {
  BackendConfig backend;
  flare_tier tier = FLARE_TIER_VM;
  bool told = false;  ///< by a control plane; else by the configuration
  flare_backend_state state = FLARE_BACKEND_ACTIVE;  ///< that the datapath obeys
};

/// The backends of a service, and what its VM tier is taken to do.
struct ServiceEndpoints {
  std::string service;
  std::uint64_t generation = 0;
  std::uint32_t workers = 0;  ///< told or learned; 0: unknown
  std::uint32_t cap = 0;      ///< 0: none
  double capacity_rps = 0;    ///< told or learned; 0: unknown
  std::vector<EndpointView> backends;
};

/// What a control plane's command changed. `before` and `after` have the backend concerned, or
/// none.
struct EndpointChange {
  bool changed = false;
  ServiceEndpoints before;
  ServiceEndpoints after;
};

/// The only writer of services, backends, tables, settings and service_info.
class ServiceSet final : public HealthSink {
 public:
  /// `tables` and `log` outlive the set. `hash_key` is every service's secret: the one that stands
  /// in the maps, where services do, as another would move new flows.
  ServiceSet(Tables& tables, Logger& log, const HashKey& hash_key);

  /// Brings the maps to `config`. Ids, epochs and flows of what stays are kept; a removed service
  /// spills nothing more and its entry goes when its flows have ended. Where a write fails, the
  /// configuration before is written again, and the error says so. `now_ns`: CLOCK_MONOTONIC.
  Result<void> apply(const Config& config, SavedState state, std::uint64_t now_ns);

  /// Takes the addresses of this host: backends that have one are local. Those of the last call
  /// hold for apply(), too. Fails where the maps cannot be written; the next apply() tries again.
  Result<void> set_host_addresses(HostAddresses addresses);

  /// Samples and steers every service whose interval is over, then beats. Where a write fails it
  /// does not beat: the datapath's fallback takes over.
  Result<void> tick(std::uint64_t now_ns, std::uint64_t slack_ns);

  /// Samples the services that move open connections, and sets how many are told to end.
  Result<void> move(std::uint64_t now_ns);

  /// Pins the share of new flows by hand, or (nullopt) gives it back to the policy.
  Result<ShareChange> pin(std::string_view service, std::optional<double> share);
  /// Takes a backend of either tier out of the selection, or puts it back. The words are its
  /// states.
  /// Without a `generation` the last one stays.
  Result<std::pair<std::string, std::string>> drain(std::string_view service,
                                                    const Endpoint& backend, bool drained,
                                                    std::optional<std::uint64_t> generation = {});

  /// What control planes ask (docs/control.md). Each leaves all as it was where it fails, and says
  /// the same again without a change. `generation`: nullopt is the next one.
  Result<EndpointChange> add_backend(std::string_view service, const Endpoint& endpoint,
                                     const ToldBackend& backend,
                                     std::optional<std::uint64_t> generation, std::uint64_t now_ns);
  Result<EndpointChange> remove_backend(std::string_view service, const Endpoint& endpoint,
                                        std::optional<std::uint64_t> generation,
                                        std::uint64_t now_ns);
  Result<EndpointChange> set_workers(std::string_view service, const WorkersChange& change,
                                     std::optional<std::uint64_t> generation, std::uint64_t now_ns);
  /// Every backend of one service; with an empty name of all services of which a control plane, or
  /// the configuration of a backend, says more than addresses.
  Result<std::vector<ServiceEndpoints>> endpoints(std::string_view service) const;

  /// Takes what a service with counting `reported` says of its load; it holds from now on.
  Result<ReportChange> report(std::string_view service, const LoadReport& load,
                              std::uint64_t now_ns);

  /// The tiers whose health is to be watched, as the configuration and drains have them now.
  std::vector<WatchedTier> watched_tiers() const;
  /// Acts on the verdicts on a tier's backends. The state of a backend is the greatest of what its
  /// configuration, a hand and its health say (active, draining, down). Where a write fails the
  /// verdicts hold all the same, and the next write is theirs.
  Result<void> set_health(const std::string& service, flare_tier tier,
                          const Verdicts& verdicts) override;

  /// What must be remembered over a restart.
  const SavedState& state() const { return state_; }

 private:
  struct MoveSample {
    std::uint64_t requests[2] = {};  ///< by tier
    std::uint64_t at_ns = 0;
  };
  struct Managed {
    ServiceConfig config;
    ServiceIdentity identity;
    flare_service_key key{};
    flare_service value{};  ///< as it stands in the maps; its epoch also where it does not yet
    bool in_maps = false;   ///< `value` stands under `key`
    flare_service_info info{};
    /// As published, by tier; nullopt: not known.
    std::array<std::optional<std::vector<std::uint32_t>>, FLARE_TIERS_COUNT> tables;
    std::uint64_t wanted_share = 0;  ///< by the policy
    VmCapacity told;                 ///< what the VM tier is told to do now
    ServiceControl control;
    SpillWatch spills;
    ReportedLoad reported;
    bool report_is_late = false;  ///< as was told in the log
    Mover mover;
    MoveRates moves;
    std::optional<MoveSample> move_sample;
    std::uint16_t steering = 0;  ///< flare_service.steering
    std::uint64_t steered_share = 0;
    std::array<Verdicts, FLARE_TIERS_COUNT> health;
    bool is_put = false;  ///< all of it stands in the maps
  };
  struct Retired {
    flare_service_key key{};
    std::uint32_t id = 0;
    std::uint64_t since_ns = 0;
    /// Where flows that are translated to the VM tier may be alive: id and generation of its
    /// backends. nullopt: nobody knows any more.
    std::optional<std::vector<BackendIdentity>> vm;
  };
  using TierTables = std::array<std::vector<std::uint32_t>, FLARE_TIERS_COUNT>;

  Result<void> bring(const Config& config, std::uint64_t now_ns);
  Managed prepare(const ServiceConfig& config, const ServiceIdentity& identity, const Known& known,
                  const KnownServices& standing, std::uint64_t now_ns) const;
  void manage(std::vector<Managed> services);
  std::uint64_t capacity_at_start(const Managed& service, const flare_service_info& old) const;
  VmCapacity told_to(const Managed& service) const;
  void settle_capacity(Managed& service) const;
  void adopt_learned(Managed& service, const flare_service_info& old, std::uint64_t now_ns) const;
  void resume_health(Managed& service, const Known& known) const;
  static BackendVerdict verdict_of(const Managed& service, flare_tier tier,
                                   const Endpoint& backend);
  const Managed* running(std::uint32_t id, std::string_view name) const;
  flare_backend backend_value(const Managed& service, flare_tier tier, std::size_t index) const;
  Result<void> put_settings(const Config& config, std::uint64_t now_ns);
  Result<void> end_plain_replies(std::uint64_t now_ns);
  Result<void> add_chain_sources(const Config& config);
  Result<void> drop_chain_sources(const Config& config);
  Result<void> put_services(std::span<Managed> services);
  Result<void> put_together(std::span<Managed> services);
  Result<void> put_service(Managed& service) { return put_services({&service, 1}); }
  Result<void> put_backends(const Managed& service);
  TierTables tables_of(const Managed& service) const;
  Result<void> put_tables(std::span<Managed> services, std::span<const TierTables> tables,
                          bool empty);
  Result<void> publish(Managed& service);
  Result<void> retire(const Known& known, const std::vector<Managed>& kept, std::uint64_t now_ns);
  Result<void> clear_unused(const Known& known, const std::vector<Managed>& kept);
  Steering steering_of(const Managed& service) const;
  Result<void> steer(Managed& service, std::uint64_t now_ns);
  Result<void> move(Managed& service, std::uint64_t now_ns);
  static void note_steering(Managed& service, std::uint64_t share, bool turned);
  ServiceSample sample(const Managed& service, std::uint64_t now_ns) const;
  void tell_learned(const Managed& service) const;
  void tend_report(Managed& service, std::uint64_t now_ns);
  bool is_over(const Retired& one, std::uint64_t now_ns) const;
  Result<void> bury(std::uint64_t now_ns);
  Result<Managed*> find(std::string_view service);
  Result<const Managed*> find(std::string_view service) const;
  std::size_t index_of(const Managed& service) const;
  const ToldService& told_of(const std::string& service) const;
  ServiceEndpoints endpoints_of(const Managed& service) const;
  ServiceEndpoints figures_of(const Managed& service) const;
  ServiceEndpoints part_of(const Managed& service, const Endpoint& endpoint) const;
  void keep_told(const std::string& service, ToldService told);
  Result<void> obey(Managed& service, ToldService told, const OwnAddresses& own,
                    std::uint64_t now_ns);
  Result<void> replace(Managed& service, const ServiceConfig& config, std::uint64_t now_ns);
  Result<void> put_replaced(Managed& service, const ServiceIdentity& before, std::uint64_t now_ns);
  std::optional<double> pin_of(const std::string& service) const;
  bool is_drained(const std::string& service, const Endpoint& backend) const;

  Tables& tables_;
  Logger& log_;
  HashKey hash_key_;
  Config file_;    ///< as the configuration has it
  Config config_;  ///< as it is in force: with what control planes told
  SavedState state_;
  bool started_ = false;
  bool shares_are_tended_ = false;  ///< the last agent beat lately, so its shares may stay
  HostAddresses host_;
  std::uint64_t plain_until_ns_ = 0;  ///< flows of a configuration before may need it; 0: unbound
  std::vector<Managed> services_;
  std::unordered_map<std::string, std::size_t> by_name_;  ///< index in services_
  std::vector<Retired> retired_;
};

}  // namespace flare
