// flare-l7-controller: the Flare paper's way, for comparison. Reads HAProxy's counters each second,
// computes the share by the paper's formula, and writes it to the proxy's map after the pipeline's
// lag. Prints a line of JSON a step.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/clock.h"
#include "eval/l7/controller.h"
#include "eval/l7/haproxy.h"
#include "loop/event_loop.h"
#include "loop/signals.h"
#include "loop/timer.h"

namespace flare::eval {
namespace {

struct Options {
  std::string socket;
  std::string map;
  std::string key = "share";
  ProxyNames names;
  ControllerConfig controller;
  double lag_s = 0;
  double interval_s = 1;
};

/// Shares are written as whole parts of a million.
constexpr double kParts = 1e6;

void describe(CLI::App& app, Options& options) {
  app.add_option("--socket", options.socket, "HAProxy's runtime socket")->required();
  app.add_option("--map", options.map, "the map that has the share, in parts of a million")
      ->required();
  app.add_option("--key", options.key, "its key")->capture_default_str();
  app.add_option("--frontend", options.names.frontend)->capture_default_str();
  app.add_option("--vm-backend", options.names.vm)->capture_default_str();
  app.add_option("--serverless-backend", options.names.serverless)->capture_default_str();
  app.add_option("--pod-capacity-rps", options.controller.pod_capacity_rps,
                 "requests a second that one VM server is believed to serve")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--lag-s", options.lag_s, "from the sample to the weight in force")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--interval-s", options.interval_s)
      ->check(CLI::Range(0.01, 60.0))
      ->capture_default_str();
  app.add_option("--significance", options.controller.significance,
                 "count growth beyond so many standard deviations; 0: as in the paper")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
}

nlohmann::json line_of(const ControllerState& state, const ProxyCounts& counts,
                       std::uint64_t now_ns) {
  return {{"at_monotonic_ns", now_ns},
          {"share", state.applied},
          {"wanted", state.wanted},
          {"arrivals_rps", state.arrivals_rps},
          {"capacity_rps", state.capacity_rps},
          {"cap", nullptr},
          {"in_flight_vm", counts.in_flight_vm},
          {"in_flight_serverless", counts.in_flight_serverless}};
}

Result<void> control(const Options& options) {
  auto loop = EventLoop::make();
  if (!loop) return loop.error();
  auto signals = Signals::handle(*loop, {SIGTERM, SIGINT}, [&loop](int) { loop->stop(); });
  if (!signals) return signals.error();
  const MonotonicClock clock;
  const RuntimeSocket proxy(options.socket);
  ControllerConfig config = options.controller;
  config.lag_ns = static_cast<std::uint64_t>(options.lag_s * 1e9);
  Controller controller(config);
  std::optional<long> written;
  std::optional<Error> failed;
  const auto step = [&]() -> Result<void> {
    const auto counts = proxy.counts(options.names);
    if (!counts) return counts.error();
    const std::uint64_t now = clock.now_ns();
    const ControllerState state = controller.step(*counts, now);
    const long parts = std::lround(state.applied * kParts);
    if (written != parts) {
      auto set = proxy.set_map(options.map, options.key, std::to_string(parts));
      if (!set) return set.error();
      written = parts;
    }
    std::cout << line_of(state, *counts, now).dump() << std::endl;
    return {};
  };
  const auto period = std::chrono::nanoseconds(static_cast<std::int64_t>(options.interval_s * 1e9));
  auto timer = Timer::every(*loop, period, [&] {
    const auto done = step();
    if (done) return;
    failed = done.error();
    loop->stop();
  });
  if (!timer) return timer.error();
  auto ran = loop->run();
  if (!ran) return ran.error();
  if (failed) return *failed;
  return {};
}

}  // namespace
}  // namespace flare::eval

int main(int argc, char** argv) {
  CLI::App app("The Flare paper's controller over HAProxy: the formula each second, with a lag");
  flare::eval::Options options;
  flare::eval::describe(app, options);
  CLI11_PARSE(app, argc, argv);
  const auto done = flare::eval::control(options);
  if (done) return 0;
  std::cerr << "flare-l7-controller: " << done.error().message() << '\n';
  return 1;
}
