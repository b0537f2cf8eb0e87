// flared: builds the parts, hands them to each other, and owns the exit code.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/log.h"
#include "control/limits.h"
#include "host/back_off.h"
#include "host/capabilities.h"
#include "host/descriptors.h"
#include "host/host_ports.h"
#include "host/instance_lock.h"
#include "host/notify.h"
#include "host/secret.h"
#include "host/small_file.h"
#include "kernel/datapath.h"
#include "loop/timer.h"
#include "service/agent.h"
#include "service/kernel_tables.h"

namespace flare {
namespace {

constexpr std::uint64_t kNsPerMs = 1'000'000;

/// The process's exit codes; docs/configuration.md lists them.
enum class Exit : int {
  kStopped = 0,
  kFailed = 1,
  kBadConfig = 2,  ///< or a bad command line
  kNotAttached = 3,
  kNotLoaded = 4,
  kAlreadyRuns = 5,
};

struct Options {
  AgentFiles files;
  bool check = false;
  bool back_off = false;
};

Exit fail(Logger& log, Exit code, const Error& error) {
  log.error("{}", error.message());
  return code;
}

/// The key of the services that are in the maps, else the kept one, else a fresh one.
Result<HashKey> adopt_hash_key(const Tables& tables, const std::filesystem::path& file) {
  auto services = tables.services();
  if (!services) return services.error();
  if (services->empty()) return hash_key_from(file);
  const flare_service& first = services->front().second;
  const HashKey key{first.hash_key[0], first.hash_key[1]};
  auto kept = keep_hash_key(file, key);
  if (!kept) return kept.error();
  return key;
}

LibbpfSink libbpf_to(Logger& log) {
  return [&log](LibbpfLevel level, std::string_view text) {
    while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
    // Its warnings come also where all went well (a qdisc that is not there yet), and what failed
    // is told by our own error.
    const auto to = level == LibbpfLevel::kInfo ? spdlog::level::debug : spdlog::level::trace;
    log.log(to, "libbpf: {}", text);
  };
}

void tell_what_it_may_cost(Logger& log, const Config& config) {
  for (const ServiceConfig& service : config.services) {
    log.info(
        "service={} frontend={}/{} policy={} capacity_rps={} backends={} "
        "worst_hour_usd={:.2f}",
        service.name, service.frontend.text(), to_text(service.protocol),
        policy_word(service.policy), service.capacity_rps, service.serverless.size(),
        worst_hour_usd(service.spend, service.price));
  }
}

/// Waits where starts before this one have ended quickly. A full disk does not keep us from
/// starting.
void wait_its_turn(const BackOff& back_off, Logger& log) {
  auto wait = back_off.begin();
  if (!wait) {
    log.warn("cannot count starts; not waiting reason=\"{}\"", wait.error().message());
    return;
  }
  if (wait->count() == 0) return;
  log.warn("the starts before this one ended within {} s each; waiting seconds={}",
           BackOff::kLasts.count(), wait->count());
  notify_status("waits after starts that ended quickly");
  std::this_thread::sleep_for(*wait);
}

void forget_starts(const BackOff& back_off, Logger& log) {
  auto forgotten = back_off.forget();
  if (!forgotten) log.warn("{}", forgotten.error().message());
}

/// From here on the maps are filled, then packets come, then privileges go.
Exit run_agent(const Options& options, const Config& config, Datapath& datapath, Logger& log) {
  auto loop = EventLoop::make();
  if (!loop) return fail(log, Exit::kFailed, loop.error());
  const MonotonicClock clock;
  const std::uint64_t loaded_ns = clock.now_ns();
  KernelTables tables(datapath.maps());
  auto key = adopt_hash_key(tables, config.agent.state_dir / "seed");
  if (!key) return fail(log, Exit::kFailed, key.error());

  Agent agent({*loop, clock, log, datapath, tables}, options.files, *key);
  auto filled = agent.fill(config);
  if (!filled) return fail(log, Exit::kFailed, filled.error());
  const std::uint64_t filled_ns = clock.now_ns();
  if (config.nat.reserve) {
    auto reserved =
        reserve_ports(options.files.sysctl_root, {config.nat.port_min, config.nat.port_max});
    if (!reserved) return fail(log, Exit::kFailed, reserved.error());
  }
  auto listening = agent.listen();
  if (!listening) return fail(log, Exit::kFailed, listening.error());
  auto attached = agent.attach();
  if (!attached) return fail(log, Exit::kNotAttached, attached.error());
  auto dropped = drop_capabilities();
  if (!dropped) return fail(log, Exit::kFailed, dropped.error());
  tell_what_it_may_cost(log, config);
  log.info("running version={} pid={} adopted={} state_ms={} pin_dir={}", FLARE_VERSION, ::getpid(),
           datapath.adopted(), (filled_ns - loaded_ns) / kNsPerMs, config.agent.pin_dir.string());
  const BackOff back_off(config.agent.state_dir);
  auto lasts = Timer::once(*loop, [&] { forget_starts(back_off, log); });
  if (!lasts) return fail(log, Exit::kFailed, lasts.error());
  if (options.back_off) static_cast<void>((*lasts)->restart(BackOff::kLasts));
  auto ran = agent.run();
  if (!ran) return fail(log, Exit::kFailed, ran.error());
  if (options.back_off) forget_starts(back_off, log);
  return Exit::kStopped;
}

Exit start(const Options& options, Logger& log) {
  auto config = read_agent_config(options.files);
  if (!config) {
    std::fprintf(stderr, "%s\n", config.error().message().c_str());
    return Exit::kBadConfig;
  }
  if (options.check) {
    std::printf("%s: the configuration is good\n", options.files.config.c_str());
    return Exit::kStopped;
  }
  if (const auto level = log_level(config->agent.log_level)) log.set_level(*level);
  auto state = make_folder(config->agent.state_dir, 0700, 0);
  if (!state) return fail(log, Exit::kFailed, state.error());
  auto run = make_folder(config->agent.control_socket.parent_path(), 0750, onlookers());
  if (!run) return fail(log, Exit::kFailed, run.error());
  auto lock = InstanceLock::on_folder(config->agent.state_dir);
  if (!lock) return fail(log, Exit::kAlreadyRuns, lock.error());
  auto network = InstanceLock::on_network();
  if (!network) return fail(log, Exit::kAlreadyRuns, network.error());
  auto dirs = make_pin_dirs(config->agent.pin_dir);
  if (!dirs) return fail(log, Exit::kNotLoaded, dirs.error());
  auto pins = InstanceLock::on_pins(config->agent.pin_dir);
  if (!pins) return fail(log, Exit::kAlreadyRuns, pins.error());

  if (options.back_off) wait_its_turn(BackOff(config->agent.state_dir), log);
  raise_descriptor_limit();
  LoadOptions load;
  load.pin_dir = config->agent.pin_dir;
  load.limits = config->limits;
  load.libbpf_sink = libbpf_to(log);
  auto datapath = Datapath::load(load);
  if (!datapath) return fail(log, Exit::kNotLoaded, datapath.error());
  auto tried = datapath->dry_run();
  if (!tried) return fail(log, Exit::kNotLoaded, tried.error());
  return run_agent(options, *config, *datapath, log);
}

Exit run_main(int argc, char** argv) {
  CLI::App app("flared sends what a machine cannot serve to serverless addresses", "flared");
  Options options;
  options.files.config = "/etc/flare/flare.yaml";
  std::string pin_dir;
  app.add_option("--config", options.files.config, "the configuration file")->capture_default_str();
  app.add_flag("--check", options.check, "judge the configuration and end");
  app.add_flag("--back-off", options.back_off,
               "wait, longer each time, where the starts before ended quickly");
  app.add_option("--pin-dir", pin_dir, "where the maps are pinned, instead of agent.pin_dir");
  app.set_version_flag("--version",
                       "flared " FLARE_VERSION " layout " + std::to_string(FLARE_ABI_VERSION));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? Exit::kStopped : Exit::kBadConfig;
  }
  if (!pin_dir.empty()) options.files.pin_dir = pin_dir;
  options.files.config = std::filesystem::absolute(options.files.config);
  const bool under_journal = std::getenv("JOURNAL_STREAM") != nullptr;
  const auto log = make_logger(STDERR_FILENO, under_journal);
  return start(options, *log);
}

}  // namespace
}  // namespace flare

int main(int argc, char** argv) { return static_cast<int>(flare::run_main(argc, argv)); }
