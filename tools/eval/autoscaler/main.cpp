// flare-autoscaler: what Kubernetes' autoscalers would do, against the testbed's pods. Prints an
// event a line ("pod-ready 9 MOMENT", of CLOCK_MONOTONIC) for the script that makes it true, and
// writes the fleet's figures when it is told to end.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cmath>
#include <csignal>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/clock.h"
#include "common/text_file.h"
#include "eval/autoscaler/emulator.h"
#include "loop/event_loop.h"
#include "loop/signals.h"
#include "loop/timer.h"

namespace flare::eval {
namespace {

struct Options {
  EmulatorConfig emulator;
  double hold_until_s = 0;
  double pod_rps = 54.8;
  std::string fleet;
  std::string control;
};

void describe(CLI::App& app, Options& options) {
  EmulatorConfig& emulator = options.emulator;
  app.add_option("--zero-monotonic-ns", emulator.zero_ns, "CLOCK_MONOTONIC of second 0")
      ->required();
  app.add_option("--seed", emulator.seed, "of the phases and of the boot times")
      ->capture_default_str();
  app.add_option("--pods", emulator.fleet.pods_at_start, "that are there; never fewer")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--pods-max", emulator.fleet.pods_max)->capture_default_str();
  app.add_option("--hold-until-s", options.hold_until_s, "nothing is decided before this second")
      ->capture_default_str();
  app.add_option("--pod-rps", options.pod_rps,
                 "requests a second that saturate a pod; the target is at the CPU target's part")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_flag("--cpu-only", emulator.cpu_only, "the policy exports no load");
  app.add_flag("--fixed", emulator.fixed, "only look: the fleet stays as it is");
  app.add_option("--pod-endpoint", emulator.addresses.endpoint,
                 "where pods listen, {} being the pod's number and the offset")
      ->capture_default_str();
  app.add_option("--pod-offset", emulator.addresses.offset)->capture_default_str();
  app.add_option("--fleet", options.fleet, "file for the fleet's figures (JSON)")->required();
  app.add_option("--control", options.control, "file for the policy's state, a line a second");
  app.add_option("status", emulator.status_command,
                 "after --: a command that prints the policy's state (JSON)");
}

std::int64_t now_ns() { return static_cast<std::int64_t>(MonotonicClock().now_ns()); }

Result<void> emulate(Options& options) {
  EmulatorConfig& config = options.emulator;
  config.fleet.pods_min = config.fleet.pods_at_start;
  config.fleet.hpa.hold_until_ns =
      config.zero_ns + static_cast<std::int64_t>(options.hold_until_s * kSecondNs);
  if (!config.cpu_only) config.fleet.hpa.rps_target = options.pod_rps * config.fleet.hpa.cpu_target;
  std::ofstream control;
  if (!options.control.empty()) {
    control.open(options.control);
    if (!control) return Error("cannot write " + options.control);
  }
  auto loop = EventLoop::make();
  if (!loop) return loop.error();
  auto signals = Signals::handle(*loop, {SIGTERM, SIGINT}, [&loop](int) { loop->stop(); });
  if (!signals) return signals.error();
  Emulator emulator(config, [](const FleetEvent& event) {
    std::cout << to_word(event.kind) << ' ' << (event.pod != 0 ? event.pod : event.node) << ' '
              << event.at_ns << std::endl;
  });
  auto samples = Timer::every(*loop, std::chrono::seconds(1), [&] {
    const nlohmann::json line = emulator.sample(now_ns());
    if (control.is_open() && !line.is_null()) control << line.dump() << '\n' << std::flush;
  });
  if (!samples) return samples.error();
  auto steps =
      Timer::every(*loop, std::chrono::milliseconds(100), [&] { emulator.step(now_ns()); });
  if (!steps) return steps.error();
  auto ran = loop->run();
  if (!ran) return ran.error();
  return lab::write_text_file(options.fleet, emulator.figures(now_ns()).dump() + "\n");
}

}  // namespace
}  // namespace flare::eval

int main(int argc, char** argv) {
  CLI::App app(
      "The autoscalers of Kubernetes against the testbed's pods: an event a line, figures at the\n"
      "end (SIGTERM)");
  flare::eval::Options options;
  flare::eval::describe(app, options);
  CLI11_PARSE(app, argc, argv);
  const auto done = flare::eval::emulate(options);
  if (done) return 0;
  std::cerr << "flare-autoscaler: " << done.error().message() << '\n';
  return 1;
}
