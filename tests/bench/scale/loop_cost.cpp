#include "scale/loop_cost.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "discovery/file_source.h"
#include "host/host_addresses.h"
#include "host/host_ports.h"
#include "kernel/flow_sweep.h"
#include "kernel/turn_sweep.h"
#include "scale/full_maps.h"
#include "service/kernel_tables.h"
#include "service/service_set.h"

namespace flare::bench {
namespace {

using nlohmann::json;

constexpr int kTurns = 9;
constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint32_t kSweepBudget = 4096;  ///< as the agent's

double cpu_ms() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto ms = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_usec) / 1e3;
  };
  return ms(used.ru_utime) + ms(used.ru_stime);
}

struct Cost {
  double ms = 0;
  double cpu_ms = 0;
};

template <typename Work>
Cost cost_of(Work work) {
  const MonotonicClock clock;
  const std::uint64_t start_ns = clock.now_ns();
  const double start_cpu = cpu_ms();
  work();
  return {static_cast<double>(clock.now_ns() - start_ns) / 1e6, cpu_ms() - start_cpu};
}

json json_of(const Cost& cost) { return {{"ms", cost.ms}, {"cpu_ms", cost.cpu_ms}}; }

/// The median by wall clock.
json median_of(std::vector<Cost> costs) {
  std::sort(costs.begin(), costs.end(), [](const Cost& a, const Cost& b) { return a.ms < b.ms; });
  const Cost& middle = costs[costs.size() / 2];
  return {{"ms", middle.ms}, {"cpu_ms", middle.cpu_ms}, {"ms_most", costs.back().ms}};
}

json sweep_pass(const Maps& maps) {
  FlowSweep sweep(maps);
  std::vector<Cost> steps;
  std::uint64_t seen = 0;
  double cpu = 0;
  double wall = 0;
  for (bool done = false; !done;) {
    steps.push_back(cost_of([&] {
      const SweepReport report = require(sweep.step(MonotonicClock().now_ns(), kSweepBudget));
      seen += report.seen;
      done = report.pass_done;
    }));
    cpu += steps.back().cpu_ms;
    wall += steps.back().ms;
  }
  return {{"entries", seen},
          {"steps", steps.size()},
          {"ms", wall},
          {"cpu_ms", cpu},
          {"step", median_of(std::move(steps))}};
}

}  // namespace

json loop_cost(const std::filesystem::path& path) {
  const HostPorts ports = require(read_host_ports("/proc/sys"));
  Verdict verdict;
  const Cost reading = cost_of([&] { verdict = read_config_file(path, FileRules{}, ports); });
  if (!verdict.config) throw std::runtime_error(to_text(verdict.problems, path.string()));
  const Config& config = *verdict.config;
  const Maps maps = require(Maps::open(config.agent.pin_dir, Access::kReadWrite));
  KernelTables tables(maps);
  const auto services = require(tables.services());
  if (services.empty()) throw std::runtime_error("flared has filled no maps yet");
  const auto log = make_logger(STDERR_FILENO, false);
  const flare_service& first = services.front().second;
  ServiceSet set(tables, *log, {first.hash_key[0], first.hash_key[1]});
  require(set.set_host_addresses(require(read_host_addresses())));
  std::uint64_t now_ns = MonotonicClock().now_ns();
  const Cost adopting = cost_of([&] { require(set.apply(config, {}, now_ns)); });
  const Cost again = cost_of([&] { require(set.apply(config, set.state(), now_ns)); });
  std::vector<Cost> ticks;
  for (int i = 0; i <= kTurns; ++i) {
    now_ns += kSecond;
    const Cost tick = cost_of([&] { require(set.tick(now_ns, 0)); });
    if (i > 0) ticks.push_back(tick);  // the first only notes the counters
  }
  const Cost turns = cost_of([&] { sweep_turns(maps, MonotonicClock().now_ns(), 300 * kSecond); });
  return {{"read", json_of(reading)}, {"adopt", json_of(adopting)}, {"apply_same", json_of(again)},
          {"tick", median_of(ticks)}, {"sweep", sweep_pass(maps)},  {"recount", json_of(turns)}};
}

}  // namespace flare::bench
