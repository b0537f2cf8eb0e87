// flare-load: replays a file of rates against an HTTP server and measures from the intended start.
// Reads the command line, joins the parts, writes the results, and owns the exit code.
#include <CLI/CLI.hpp>
#include <csignal>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/rate_file.h"
#include "common/socket.h"
#include "common/text_file.h"
#include "load/log.h"
#include "load/run.h"
#include "load/summary.h"
#include "loop/signals.h"

namespace flare::lab {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitVoid = 3;
constexpr int kExitInterrupted = 130;

struct Options {
  std::string rates;
  std::string mode = "users";
  std::string connections = "new";
  std::vector<std::string> targets;
  std::vector<std::string> sources;
  std::string path = "/";
  std::uint64_t seed = 1;
  int lead_in = 10;
  std::optional<std::uint64_t> zero_ns;
  double timeout_s = 10;
  double objective_ms = 400;
  double lateness_limit_ms = 20;
  std::string label;
  std::string summary;
  std::string log;
  bool quiet = false;
};

void describe(CLI::App& app, Options& options) {
  app.add_option("--rates", options.rates, "file of `second,rate` lines")->required();
  app.add_option("--target", options.targets, "192.0.2.1:80 or [2001:db8::1]:80; repeatable")
      ->required();
  app.add_option("--mode", options.mode,
                 "open: Poisson arrivals; users: as many users as the rate, each at most one "
                 "request a second and waiting for its answer")
      ->check(CLI::IsMember({"open", "users"}))
      ->capture_default_str();
  app.add_option("--connections", options.connections, "new, keep=K, pool=M or warm=M")
      ->capture_default_str();
  app.add_option("--source", options.sources, "address to connect from; repeatable");
  app.add_option("--path", options.path)->capture_default_str();
  app.add_option("--seed", options.seed, "of arrivals and phases")->capture_default_str();
  app.add_option("--lead-in", options.lead_in, "seconds of rising load before second 0")
      ->check(CLI::Range(0, 600))
      ->capture_default_str();
  app.add_option("--zero-monotonic-ns", options.zero_ns,
                 "CLOCK_MONOTONIC of second 0, so that several runs meet it; default: at once");
  app.add_option("--timeout-s", options.timeout_s)
      ->check(CLI::Range(0.001, 3600.0))
      ->capture_default_str();
  app.add_option("--objective-ms", options.objective_ms, "for P95")->capture_default_str();
  app.add_option("--lateness-limit-ms", options.lateness_limit_ms,
                 "a p99 of our own lateness beyond it makes the run void")
      ->capture_default_str();
  app.add_option("--label", options.label, "name of the run, for the summary");
  app.add_option("--summary", options.summary, "file for the summary (JSON)");
  app.add_option("--log", options.log, "file for the records (CSV)");
  app.add_flag("--quiet", options.quiet, "no line a second");
}

Result<ClientConfig> client_config(const Options& options) {
  ClientConfig config;
  config.path = options.path;
  const auto mode = ConnectionMode::parse(options.connections);
  if (!mode) return Error("--connections: expected new, keep=K, pool=M or warm=M");
  config.mode = *mode;
  for (const std::string& text : options.targets) {
    const auto target = Endpoint::parse(text);
    if (!target) return Error("--target " + text + ": expected an address and a port");
    config.targets.push_back(*target);
  }
  for (const std::string& text : options.sources) {
    const auto source = Address::parse(text);
    if (!source) return Error("--source " + text + ": expected an address");
    config.sources.push_back(*source);
  }
  return config;
}

nlohmann::json summary_of(const Options& options, const RatePlan& plan, const Run& run) {
  const Lateness lateness = lateness_of(run.lateness_us());
  nlohmann::json summary =
      to_json(summarise(run.records(), {plan.end_second(), options.objective_ms,
                                        static_cast<std::int64_t>(options.timeout_s * 1e9)}));
  for (int second = 0; second < plan.end_second(); ++second) {
    summary["seconds"][static_cast<std::size_t>(second)]["rate"] = plan.rate_at(second);
  }
  summary["schema"] = "flare-load/1";
  summary["label"] = options.label;
  summary["run"] = {{"mode", options.mode},
                    {"connections", options.connections},
                    {"targets", options.targets},
                    {"seed", options.seed},
                    {"lead_in_s", plan.lead_in},
                    {"timeout_s", options.timeout_s},
                    {"objective_ms", options.objective_ms},
                    {"connections_made", run.connections_made()},
                    {"zero_monotonic_ns", run.zero_ns()}};
  summary["lateness"] = {{"p50_ms", lateness.p50_ms},
                         {"p99_ms", lateness.p99_ms},
                         {"max_ms", lateness.max_ms},
                         {"limit_ms", options.lateness_limit_ms},
                         {"void", lateness.p99_ms > options.lateness_limit_ms}};
  return summary;
}

Result<int> report(const Options& options, const RatePlan& plan, const Run& run, bool interrupted) {
  nlohmann::json summary = summary_of(options, plan, run);
  summary["interrupted"] = interrupted;
  if (!options.log.empty()) {
    auto logged = write_log(options.log, run.records());
    if (!logged) return logged.error();
  }
  if (!options.summary.empty()) {
    auto written = write_text_file(options.summary, summary.dump(1) + "\n");
    if (!written) return written.error();
  }
  if (interrupted) return kExitInterrupted;
  if (!summary["lateness"]["void"].get<bool>()) return 0;
  std::cerr << "flare-load: this run is void: the generator itself was late, p99 "
            << summary["lateness"]["p99_ms"] << " ms (limit " << options.lateness_limit_ms
            << " ms); is the machine busy?\n";
  return kExitVoid;
}

Result<int> run_load(const Options& options) {
  auto rates = read_rate_file(options.rates);
  if (!rates) return rates.error();
  auto client = client_config(options);
  if (!client) return client.error();
  auto loop = EventLoop::make();
  if (!loop) return loop.error();
  bool interrupted = false;
  auto signals = Signals::handle(*loop, {SIGTERM, SIGINT}, [&](int) {
    interrupted = true;
    loop->stop();
  });
  if (!signals) return signals.error();

  const MonotonicClock clock;
  const RatePlan plan = RatePlan::with_lead_in(*rates, options.lead_in);
  auto arrivals = options.mode == "open" ? open_arrivals(plan, options.seed)
                                         : user_arrivals(plan, options.seed);
  const auto print = [&options](const std::string& line) {
    if (!options.quiet) std::cout << line << std::endl;
  };
  RunConfig config{plan, static_cast<std::uint64_t>(options.timeout_s * 1e9), options.zero_ns,
                   *std::move(client)};
  auto run = Run::start(*loop, clock, std::move(config), std::move(arrivals), print);
  if (!run) return run.error();
  auto ran = loop->run();
  if (!ran) return ran.error();
  return report(options, plan, **run, interrupted);
}

}  // namespace
}  // namespace flare::lab

int main(int argc, char** argv) {
  CLI::App app(
      "Replays a file of rates over HTTP and measures latency from the intended start.\n"
      "Exit status: 0 done (failed requests are a result), 1 could not run, 3 the run is void\n"
      "because the generator itself was late, 130 interrupted (results so far are written).");
  flare::lab::Options options;
  flare::lab::describe(app, options);
  CLI11_PARSE(app, argc, argv);
  flare::lab::raise_descriptor_limit();
  const auto code = flare::lab::run_load(options);
  if (code) return *code;
  std::cerr << "flare-load: " << code.error().message() << '\n';
  return flare::lab::kExitFailed;
}
