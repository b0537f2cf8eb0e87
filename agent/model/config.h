// The whole configuration as plain data, checked: what discovery reads and the rest obeys.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "flare/abi.h"
#include "model/address.h"

namespace flare {

/// Backends that a tier of a service may have.
constexpr std::size_t kTierBackendsMax = 1024;

constexpr std::array<flare_tier, FLARE_TIERS_COUNT> kTiers{FLARE_TIER_VM, FLARE_TIER_SERVERLESS};

/// What may be told of the VM tier, or of one of its backends.
constexpr std::uint32_t kWorkersMax = 1'000'000;
constexpr double kCapacityMin = 0.1;
constexpr double kCapacityMax = 1e7;
constexpr std::uint32_t kWeightMax = 65'535;

/// An address of a service, in either tier.
struct BackendConfig {
  Endpoint endpoint;
  std::uint32_t weight = 1;  ///< relative; 0 takes no new flows
  flare_backend_state state = FLARE_BACKEND_ACTIVE;
  std::uint32_t workers = 0;  ///< VM tier: requests that it works on at once; 0: not told
  double capacity_rps = 0;    ///< VM tier: requests a second that it serves; 0: not told
};

/// How much a service may spill, so that a flood cannot become a bill.
struct SpendConfig {
  double per_second = 500;                       ///< spilled flows per second
  std::uint32_t burst = 500;                     ///< of them at once
  double prefix_share = 1;                       ///< part of both for one /24 or /64; 1 is no limit
  std::uint64_t per_hour = 500'000;              ///< spilled flows in any hour of the clock
  std::uint32_t active = 0;                      ///< concurrent spilled flows; 0 is no limit
  std::uint32_t ramp_instances = 1000;           ///< growth of concurrent flows ...
  std::chrono::milliseconds ramp_every{10'000};  ///< ... in this time (AWS Lambda's published rate)
};

/// What one spilled request costs, for the bill that is shown.
struct PriceConfig {
  double usd_per_gb_second = 0.0000166667;
  double usd_per_million_requests = 0.20;
  double memory_mb = 1769;  ///< of one instance
  double duration_ms = 84;  ///< of one request
};

/// The Flare paper's rule.
struct FormulaConfig {
  std::chrono::milliseconds interval{1000};
  /// Count the growth of the last interval only where it is beyond this many standard deviations
  /// of a Poisson count; 0 is the paper's formula to the letter.
  double significance = 0;
};

/// Connections that are open when the load must go elsewhere.
struct MoveConfig {
  flare_move how = FLARE_MOVE_NONE;
  double rate = 0.25;  ///< of a tier's requests whose connections are told to end, at most
  bool idle = false;   ///< idle connections that cannot be told, as those of TLS, are reset
};

/// How backends are known to be well. Active checks are made by the agent; passive signals are what
/// the datapath sees of real flows.
struct HealthConfig {
  enum class Check : std::uint8_t { kNone, kTcp, kHttp };
  Check check = Check::kNone;
  std::optional<std::uint16_t> port;  ///< host order; nothing: the backend's own
  std::string path = "/";             ///< http: what is asked for
  std::string host;                   ///< http: the Host header; empty: the backend's address
  std::uint16_t status_min = 200;     ///< http: an answer of this status ...
  std::uint16_t status_max = 399;     ///< ... to this one is well
  std::chrono::milliseconds interval{2'000};
  std::chrono::milliseconds timeout{1'000};
  std::uint32_t rise = 2;  ///< checks in a row that must pass before a backend is up again
  std::uint32_t fall = 3;  ///< checks in a row that must fail before it is down
  bool passive = true;
  double eject_max = 0.5;                        ///< of a tier's backends, by passive signals alone
  std::chrono::milliseconds eject_time{10'000};  ///< before the half-open trial; doubles each time
  std::chrono::milliseconds slow_start{0};  ///< in which a backend that returns grows to its weight
};

/// A backend as a control plane tells it.
struct ToldBackend {
  flare_tier tier = FLARE_TIER_VM;
  std::uint32_t weight = 1;
  std::uint32_t workers = 0;  ///< 0: not told
  double capacity_rps = 0;    ///< 0: not told
  bool operator==(const ToldBackend&) const = default;
};

/// What a control plane tells of a service, over its configuration.
struct ToldService {
  std::uint64_t generation = 0;  ///< the last that was accepted; 0: none yet
  std::map<Endpoint, ToldBackend> added;
  std::set<Endpoint> removed;            ///< of the configuration's
  std::optional<std::uint32_t> workers;  ///< of the service
  std::optional<double> capacity_rps;    ///< of the service
  bool operator==(const ToldService&) const = default;
};

struct ServiceConfig {
  std::string name;
  Endpoint frontend;
  Protocol protocol = Protocol::kTcp;
  flare_placement placement = FLARE_PLACEMENT_RECEIVER;
  flare_policy policy = FLARE_POLICY_CAP;
  flare_counting counting = FLARE_COUNTING_AUTO;
  flare_overload overload = FLARE_OVERLOAD_VM;
  flare_fallback fallback = FLARE_FALLBACK_BUCKET;
  double capacity_rps = 0;    ///< requests a second that the VM tier serves; cap: a first guess
  std::uint32_t workers = 0;  ///< requests that the VM tier works on at once; 0: to be learned
  std::optional<std::uint32_t> bucket_depth;  ///< tokens; default: max(33, 20 ms of the rate)
  double min_share = 0;                       ///< of new flows that always go to serverless
  FormulaConfig formula;
  SpendConfig spend;
  PriceConfig price;
  MoveConfig move;
  std::vector<Address> snat;                 ///< empty: the frontend's own address
  flare_snat snat_mode = FLARE_SNAT_ALWAYS;  ///< balancer
  flare_select select = FLARE_SELECT_HASH;
  flare_chain chain = FLARE_CHAIN_RETURN;
  std::chrono::milliseconds affinity{0};  ///< 0: a client's flows go anywhere
  HealthConfig health;
  std::vector<BackendConfig> vm;  ///< empty at a receiver, where the VM tier is this host
  std::vector<BackendConfig> serverless;

  const std::vector<BackendConfig>& backends(flare_tier tier) const {
    return tier == FLARE_TIER_VM ? vm : serverless;
  }
};

struct InterfaceConfig {
  std::string name;  ///< empty where `match` is given
  flare_attach_mode mode = FLARE_ATTACH_AUTO;
  enum class Tc : std::uint8_t { kAuto, kTcx, kClsact } tc = Tc::kAuto;
  std::string match{};  ///< a pattern of names (fnmatch), whose interfaces come and go
};

struct NatConfig {
  std::uint16_t port_min = 10240;  ///< inclusive, host order
  std::uint16_t port_max = 29999;  ///< inclusive
  bool reserve = true;             ///< write the range to ip_local_reserved_ports
};

struct TimeoutConfig {
  std::chrono::milliseconds tcp_handshake{20'000};
  std::chrono::milliseconds tcp_established{3'600'000};
  std::chrono::milliseconds tcp_closing{60'000};
  std::chrono::milliseconds tcp_reset{5'000};
  std::chrono::milliseconds udp_unreplied{30'000};
  std::chrono::milliseconds udp_replied{120'000};
};

/// Sizes of the maps; a change needs `flarectl detach` first.
struct LimitConfig {
  std::uint32_t services = 256;
  std::uint32_t backends = 4096;
  std::uint32_t flows = 1'000'000;  ///< translated flows, each of them two entries
  std::uint32_t embryos = 32'768;   ///< unfinished handshakes
};

struct AgentConfig {
  std::filesystem::path control_socket = "/run/flare/flared.sock";
  std::filesystem::path state_dir = "/var/lib/flare";
  std::filesystem::path pin_dir = "/sys/fs/bpf/flare";  ///< the layout version is added below it
  std::chrono::milliseconds heartbeat_bound{5'000};
  /// New flows a second on one CPU above which none is spilled; 0 is no limit. Katran's figure.
  std::uint32_t flood_rate = 125'000;
  std::string log_level = "info";
};

struct Config {
  std::vector<InterfaceConfig> interfaces;
  std::vector<ServiceConfig> services;
  /// Where flows of serverless instances come from; ServiceConfig::chain.
  std::vector<Prefix> serverless_sources;
  /// Cgroups whose processes' connect() is directed, for services with placement sender.
  std::vector<std::filesystem::path> cgroups;
  NatConfig nat;
  TimeoutConfig timeouts;
  LimitConfig limits;
  AgentConfig agent;
};

}  // namespace flare
