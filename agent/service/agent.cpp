#include "service/agent.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>

#include "host/host_addresses.h"
#include "host/host_ports.h"
#include "host/notify.h"
#include "host/small_file.h"
#include "service/health_report.h"

namespace flare {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kBeatEvery{500};
constexpr milliseconds kSweepEvery{100};
constexpr milliseconds kMoveEvery{100};
constexpr milliseconds kRecountEvery{10'000};
/// A request whose connection says nothing for so long is not served any more.
constexpr std::uint64_t kSilenceNs = 300'000'000'000;
constexpr milliseconds kFileQuiet{200};
constexpr std::uint32_t kSweepBudget = 4096;
constexpr std::uint64_t kNsPerSecond = 1'000'000'000;

/// How often the control loop turns: for the shortest interval, and often enough for the beat.
milliseconds tick_period(const Config& config) {
  milliseconds period = kBeatEvery;
  for (const ServiceConfig& service : config.services) {
    const milliseconds interval = service.formula.interval;
    const auto parts = (interval + kBeatEvery - milliseconds(1)) / kBeatEvery;
    period = std::min(period, interval / std::max<std::int64_t>(parts, 1));
  }
  return period;
}

}  // namespace

Result<Config> read_agent_config(const AgentFiles& files) {
  auto ports = read_host_ports(files.sysctl_root);
  if (!ports) return ports.error();
  Verdict verdict = read_config_file(files.config, FileRules{}, *ports);
  if (!verdict.config) return Error(to_text(verdict.problems, files.config.string()));
  if (files.pin_dir) verdict.config->agent.pin_dir = *files.pin_dir;
  return *std::move(verdict.config);
}

Agent::Agent(const Parts& parts, AgentFiles files, const HashKey& hash_key)
    : parts_(parts),
      files_(std::move(files)),
      services_(parts.tables, parts.log, hash_key),
      devices_(parts.datapath),
      interfaces_(devices_, parts.log),
      cgroups_(parts.log),
      sweep_(parts.datapath.maps()),
      idle_moves_(parts.datapath.maps(), parts.log),
      started_ns_(parts.clock.now_ns()),
      health_source_(parts.datapath.maps()) {}

Result<void> Agent::fill(const Config& config) {
  config_ = config;
  auto state = load_state(state_file());
  if (!state) return state.error();
  auto addresses = read_addresses();
  if (!addresses) return addresses;
  auto applied = services_.apply(config, *state, parts_.clock.now_ns());
  if (!applied) return applied;
  return services_.tick(parts_.clock.now_ns(), 0);
}

Result<void> Agent::attach() {
  idle_moves_.load(config_.agent.pin_dir);
  cgroups_.load(config_.agent.pin_dir);
  cgroups_.apply(config_.cgroups);
  return interfaces_.apply(config_.interfaces, parts_.clock.now_ns());
}

Result<void> Agent::listen() {
  auto timers = start_timers();
  if (!timers) return timers;
  auto health = HealthWatch::make(
      {parts_.loop, parts_.clock, parts_.log, health_source_, services_}, {}, started_ns_);
  if (!health) return health.error();
  health_ = *std::move(health);
  watch_health();
  auto signals = Signals::handle(parts_.loop, {SIGHUP, SIGINT, SIGTERM},
                                 [this](int number) { on_signal(number); });
  if (!signals) return signals.error();
  signals_ = *std::move(signals);
  auto watch = FileWatch::on(parts_.loop, files_.config, kFileQuiet, [this] {
    parts_.log.info("the configuration file changed file={}", files_.config.string());
    static_cast<void>(reload());
  });
  if (!watch) return watch.error();
  watch_ = *std::move(watch);
  auto network =
      NetworkWatch::on(parts_.loop, [this](NetworkChange change) { on_network(change); });
  if (!network) return network.error();
  network_ = *std::move(network);
  auto control = LineServer::listen(parts_.loop, config_.agent.control_socket, onlookers(), {},
                                    [this](const Peer& peer, std::string_view line) {
                                      return answer_command(*this, peer, line);
                                    });
  if (!control) return control.error();
  control_ = *std::move(control);
  return {};
}

Result<void> Agent::start_timers() {
  auto tick = Timer::every(parts_.loop, tick_period(config_), [this] { on_tick(); });
  if (!tick) return tick.error();
  tick_ = *std::move(tick);
  auto sweep = Timer::every(parts_.loop, kSweepEvery, [this] { on_sweep(); });
  if (!sweep) return sweep.error();
  sweep_timer_ = *std::move(sweep);
  auto move = Timer::every(parts_.loop, kMoveEvery, [this] { on_move(); });
  if (!move) return move.error();
  move_timer_ = *std::move(move);
  auto recount = Timer::every(parts_.loop, kRecountEvery, [this] { on_recount(); });
  if (!recount) return recount.error();
  recount_timer_ = *std::move(recount);
  return {};
}

/// After each change of backends. What cannot be written is tried again by the watch itself.
void Agent::watch_health() {
  auto configured = health_->configure(services_.watched_tiers());
  if (configured) return;
  parts_.log.error("cannot act on the health of backends reason=\"{}\"",
                   configured.error().message());
}

Result<void> Agent::run() {
  notify_ready(status());
  return parts_.loop.run();
}

void Agent::on_signal(int number) {
  if (number == SIGHUP) {
    static_cast<void>(reload());
    return;
  }
  parts_.log.info("stopping; the datapath stays attached signal={}", number);
  notify_stopping();
  parts_.loop.stop();
}

void Agent::on_tick() {
  const std::uint64_t now_ns = parts_.clock.now_ns();
  const auto period = std::chrono::nanoseconds(tick_period(config_)).count();
  auto ticked = services_.tick(now_ns, static_cast<std::uint64_t>(period) / 4);
  // A failure that lasts is told once, and again when it is over.
  if (ticked.has_value() == tick_failed_) {
    tick_failed_ = !ticked;
    if (ticked) {
      parts_.log.info("steering works again");
    } else {
      parts_.log.error("cannot steer; the datapath falls back reason=\"{}\"",
                       ticked.error().message());
    }
  }
  cgroups_.tend(now_ns);
  keep_pinned();
  if (ticked) notify_alive();
}

/// Told once, and again when it is over.
void Agent::keep_pinned() {
  auto kept = parts_.datapath.keep_pinned();
  if (kept) {
    auto cgroups = cgroups_.keep_pinned();
    kept = cgroups ? Result<std::size_t>(*kept + *cgroups) : cgroups;
  }
  if (kept && *kept > 0) parts_.log.warn("pinned again what was pinned no more pins={}", *kept);
  if (kept.has_value() != unpinned_) return;
  unpinned_ = !kept;
  if (!kept) {
    parts_.log.error("not safe to restart: what is attached would be lost reason=\"{}\"",
                     kept.error().message());
  }
  notify_status(status());
}

void Agent::on_sweep() {
  auto report = sweep_.step(parts_.clock.now_ns(), kSweepBudget);
  if (report.has_value() == sweep_failed_) {
    sweep_failed_ = !report;
    if (!report) {
      parts_.log.error("cannot sweep old flows reason=\"{}\"", report.error().message());
    }
  }
}

/// A failure shows in the tick, too, which writes the same entries.
void Agent::on_move() {
  const std::uint64_t now_ns = parts_.clock.now_ns();
  static_cast<void>(services_.move(now_ns));
  idle_moves_.step(config_, now_ns);
}

/// What the datapath could not see the end of is told, as it was load that was not there.
void Agent::on_recount() {
  const TurnReport report = sweep_turns(parts_.datapath.maps(), parts_.clock.now_ns(), kSilenceNs);
  if (report.vanished > 0) {
    parts_.log.info("requests of silent connections were ended requests={} in_flight={}",
                    report.vanished, report.open);
  }
  auto shifts = sweep_shifts(parts_.datapath.maps(), parts_.clock.now_ns());
  if (!shifts) parts_.log.error("cannot sweep shifts reason=\"{}\"", shifts.error().message());
  for (const TurnReport::Correction& one : report.corrections) {
    parts_.log.info("corrected the requests in flight service_id={} tier={} change={}",
                    one.service_id, tier_word(one.tier), one.change);
  }
  // What the kernel did not tell, and interfaces that could not be attached before.
  on_network({.links = true, .addresses = true});
}

void Agent::on_network(NetworkChange change) {
  if (change.links) interfaces_.tend(parts_.clock.now_ns());
  if (!change.addresses) return;
  auto read = read_addresses();
  // A failure that lasts is told once, and again when it is over.
  if (read.has_value() != addresses_failed_) return;
  addresses_failed_ = !read;
  if (read) {
    parts_.log.info("this host's addresses are known again");
  } else {
    parts_.log.error("backends on this host may not be known reason=\"{}\"",
                     read.error().message());
  }
}

Result<void> Agent::read_addresses() {
  auto addresses = read_host_addresses();
  if (!addresses) return addresses.error();
  return services_.set_host_addresses(*std::move(addresses));
}

/// Maps have their sizes, and the process its lock, for life.
Result<void> Agent::refuse_immutable(const Config& next) const {
  const LimitConfig& a = config_.limits;
  const LimitConfig& b = next.limits;
  if (a.services != b.services || a.backends != b.backends || a.flows != b.flows ||
      a.embryos != b.embryos) {
    return Error(
        "limits cannot change while flows live: run flarectl detach --yes and start again");
  }
  if (config_.agent.state_dir != next.agent.state_dir ||
      config_.agent.pin_dir != next.agent.pin_dir ||
      config_.agent.control_socket != next.agent.control_socket) {
    return Error("agent.state_dir, agent.pin_dir and agent.control_socket need a restart");
  }
  return {};
}

Result<Done> Agent::reload() {
  notify_reloading();
  auto outcome = [this]() -> Result<Done> {
    auto next = read_agent_config(files_);
    if (!next) return next.error();
    auto allowed = refuse_immutable(*next);
    if (!allowed) return allowed.error();
    const SavedState state = services_.state();
    auto applied = services_.apply(*next, state, parts_.clock.now_ns());
    if (!applied) return applied.error();
    if (services_.state() != state) remember();
    config_ = *next;
    watch_health();
    if (config_.nat.reserve) {
      auto reserved =
          reserve_ports(files_.sysctl_root, {config_.nat.port_min, config_.nat.port_max});
      if (!reserved) {
        parts_.log.warn("cannot reserve NAT ports reason=\"{}\"", reserved.error().message());
      }
    }
    auto attached = interfaces_.apply(config_.interfaces, parts_.clock.now_ns());
    if (!attached) parts_.log.error("{}", attached.error().message());
    cgroups_.apply(config_.cgroups);
    auto rearmed = tick_->set_period(tick_period(config_));
    if (!rearmed) return rearmed.error();
    if (const auto level = log_level(config_.agent.log_level)) parts_.log.set_level(*level);
    return Done{reloads_, reloads_ + 1,
                std::to_string(config_.services.size()) + " services are in force"};
  }();
  if (outcome) {
    ++reloads_;
    parts_.log.info("reloaded the configuration file={} services={}", files_.config.string(),
                    config_.services.size());
  } else {
    parts_.log.error("the configuration was refused; the one before stays in force\n{}",
                     outcome.error().message());
  }
  notify_ready(outcome ? status() : status() + "; the last reload was refused");
  return outcome;
}

Result<Done> Agent::set_share(const std::string& service, std::optional<double> share) {
  auto change = services_.pin(service, share);
  if (!change) return change.error();
  remember();
  std::string message =
      fmt::format("share of {}: {:.4f} -> {:.4f}, {}", service, change->before, change->after,
                  share ? "pinned until share auto" : "steered by the policy again");
  if (change->overrides_observe) message += "; policy observe is overridden meanwhile";
  parts_.log.info("share changed by hand service={} before={} after={} pinned={}", service,
                  change->before, change->after, share.has_value());
  return Done{change->before, change->after, message};
}

Result<Done> Agent::drain(const std::string& service, const Endpoint& backend, bool drained,
                          Generation generation) {
  auto change = services_.drain(service, backend, drained, generation);
  if (!change) return change.error();
  remember();
  watch_health();
  parts_.log.info("backend changed by hand service={} backend={} before={} after={}", service,
                  backend.text(), change->first, change->second);
  return Done{
      change->first, change->second,
      fmt::format("{} of {}: {} -> {}; {}", backend.text(), service, change->first, change->second,
                  drained ? "no new flows, its flows go on" : "as configured")};
}

/// Reports come often, so that they are not logged; what comes of them is.
Result<Done> Agent::report(const std::string& service, const LoadReport& load) {
  auto change = services_.report(service, load, parts_.clock.now_ns());
  if (!change) return change.error();
  std::string message = fmt::format("{}: {} requests in flight", service, change->after);
  if (change->requests_rps) message += fmt::format(", {:.1f} a second", *change->requests_rps);
  return Done{change->before, change->after, message};
}

Result<Done> Agent::health(const std::string& service) {
  const bool known =
      service.empty() ||
      std::any_of(config_.services.begin(), config_.services.end(),
                  [&service](const ServiceConfig& one) { return one.name == service; });
  if (!known) return Error("there is no service '" + service + "'");
  const std::vector<HealthView> views = health_->view(service);
  return Done{nullptr, health_json(views, parts_.clock.now_ns()), health_sentence(views)};
}

/// "all" takes cgroups, too; it fails where nothing at all is attached.
Result<std::vector<std::string>> Agent::detach_from(const std::string& interface) {
  std::vector<std::string> cgroups;
  if (interface == "all") {
    auto detached = cgroups_.detach();
    if (!detached) return detached.error();
    cgroups = *std::move(detached);
  }
  auto names = interfaces_.detach(interface);
  if (!names && cgroups.empty()) return names.error();
  if (names) cgroups.insert(cgroups.end(), names->begin(), names->end());
  return cgroups;
}

Result<Done> Agent::detach(const std::string& interface) {
  auto names = detach_from(interface);
  if (!names) return names.error();
  return Done{*names, nlohmann::json::array(),
              fmt::format("detached {} until the next reload or restart of flared",
                          fmt::join(*names, ", "))};
}

Result<Done> Agent::ping() {
  const std::uint64_t uptime_ns = parts_.clock.now_ns() - started_ns_;
  return Done{nullptr,
              {{"version", FLARE_VERSION},
               {"pid", ::getpid()},
               {"uptime_s", uptime_ns / kNsPerSecond},
               {"reloads", reloads_},
               {"steering", !tick_failed_},
               {"restart_safe", !unpinned_}},
              status()};
}

/// What was set by hand holds now; where it cannot be kept, a restart would forget it.
void Agent::remember() {
  auto saved = save_state(state_file(), services_.state());
  if (!saved) {
    parts_.log.error("cannot remember this over a restart reason=\"{}\"", saved.error().message());
  }
}

std::string Agent::status() const {
  return std::to_string(config_.services.size()) + " services, " +
         std::to_string(interfaces_.attached()) + " interfaces" +
         (unpinned_ ? "; degraded: not safe to restart" : "");
}

}  // namespace flare
