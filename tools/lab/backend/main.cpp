// flare-backend: an HTTP server with a known, limited capacity. Reads the command line, joins the
// parts, and ends on SIGTERM or SIGINT with one line of JSON.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "backend/server.h"
#include "common/socket.h"
#include "loop/signals.h"

namespace flare::lab {
namespace {

struct Options {
  ServerConfig server;
  std::vector<std::string> listen;
  double keep_alive_s = 300;
  double scale_every_s = 10;
  std::vector<std::string> calls;
  std::string call_order = "parallel";
  std::string call_connections = "new";
  double call_timeout_ms = 10'000;
  std::string tier_from;
  std::string log;
};

void describe(CLI::App& app, Options& options) {
  ServerConfig& server = options.server;
  app.add_option("--listen", options.listen, "192.0.2.1:80 or [2001:db8::1]:80; may be repeated")
      ->required();
  app.add_option("--tier", server.tier, "said in the reply header X-Flare-Tier");
  app.add_option("--slots", server.slots, "requests that work at once; 0: no limit")
      ->capture_default_str();
  app.add_option("--mean-ms", server.times.mean_ms, "mean service time")->capture_default_str();
  app.add_option("--sigma", server.times.sigma, "of the logarithm of the service time")
      ->capture_default_str();
  app.add_option("--seed", server.times.seed, "of the service times")->capture_default_str();
  app.add_option("--slow", server.slow, "multiplies all service times")->capture_default_str();
  app.add_option("--body-bytes", server.body_bytes, "length of an answer that asks for none")
      ->capture_default_str();
  app.add_option("--log", options.log,
                 "file for a line a request: microseconds from read to the answer's first byte");
}

void describe_instances(CLI::App& app, Options& options) {
  InstanceConfig& instances = options.server.instances;
  app.add_option("--cold-start-ms", instances.cold_starts.median_ms,
                 "delay of a new instance: its median")
      ->capture_default_str();
  app.add_option("--cold-sigma", instances.cold_starts.sigma, "of the logarithm of that delay")
      ->capture_default_str();
  app.add_option("--prewarmed", instances.prewarmed, "instances that are warm at the start")
      ->capture_default_str();
  app.add_option("--keep-alive-s", options.keep_alive_s, "life of an idle instance")
      ->capture_default_str();
  app.add_option("--scale-instances", instances.scale_instances,
                 "new instances that may start in --scale-every-s; beyond it requests get a 429; "
                 "0: no limit")
      ->check(CLI::Range(0U, 1'000'000U))
      ->capture_default_str();
  app.add_option("--scale-every-s", options.scale_every_s)
      ->check(CLI::Range(0.001, 3600.0))
      ->capture_default_str();
}

void describe_calls(CLI::App& app, Options& options) {
  app.add_option("--call", options.calls,
                 "service that each request calls before its answer, 192.0.2.1:80 or "
                 "[2001:db8::1]:80; may be repeated");
  app.add_option("--calls", options.call_order, "all at once, or one after the other")
      ->check(CLI::IsMember({"parallel", "sequence"}))
      ->capture_default_str();
  app.add_option("--call-connections", options.call_connections,
                 "new: one a call; pool: kept and used again")
      ->check(CLI::IsMember({"new", "pool"}))
      ->capture_default_str();
  app.add_option("--call-timeout-ms", options.call_timeout_ms)
      ->check(CLI::Range(1.0, 3.6e6))
      ->capture_default_str();
  app.add_option("--tier-from", options.tier_from,
                 "the --call whose answer's X-Flare- headers are passed on");
}

Result<CallsConfig> checked_calls(const Options& options) {
  CallsConfig config;
  std::vector<Endpoint>& targets = config.caller.targets;
  for (const std::string& text : options.calls) {
    const auto endpoint = Endpoint::parse(text);
    if (!endpoint) return Error("--call " + text + ": expected an address and a port");
    targets.push_back(*endpoint);
  }
  config.caller.reuse = options.call_connections == "pool";
  config.caller.timeout_ns = static_cast<std::uint64_t>(options.call_timeout_ms * 1e6);
  config.in_sequence = options.call_order == "sequence";
  if (options.tier_from.empty()) return config;
  const auto from = Endpoint::parse(options.tier_from);
  const auto found = from ? std::ranges::find(targets, *from) : targets.end();
  if (found == targets.end()) {
    return Error("--tier-from " + options.tier_from + ": expected one of the --call's");
  }
  config.tier_from = static_cast<std::size_t>(found - targets.begin());
  return config;
}

Result<ServerConfig> checked(const Options& options) {
  ServerConfig config = options.server;
  for (const std::string& text : options.listen) {
    const auto endpoint = Endpoint::parse(text);
    if (!endpoint) return Error("--listen " + text + ": expected an address and a port");
    config.listen.push_back(*endpoint);
  }
  auto calls = checked_calls(options);
  if (!calls) return calls.error();
  config.calls = *std::move(calls);
  const bool negative = config.times.mean_ms < 0 || config.times.sigma < 0 || config.slow < 0 ||
                        config.instances.cold_starts.median_ms < 0 ||
                        config.instances.cold_starts.sigma < 0 || options.keep_alive_s < 0;
  if (negative) return Error("times and factors cannot be negative");
  config.instances.cold_starts.seed = config.times.seed;
  config.instances.keep_alive_ns = static_cast<std::uint64_t>(options.keep_alive_s * 1e9);
  config.instances.scale_every_ns = static_cast<std::uint64_t>(options.scale_every_s * 1e9);
  return config;
}

Result<void> serve(const Options& options) {
  auto config = checked(options);
  if (!config) return config.error();
  std::ofstream log;
  if (!options.log.empty()) {
    log.open(options.log);
    if (!log) return Error("cannot write " + options.log);
    config->log = &log;
  }
  auto loop = EventLoop::make();
  if (!loop) return loop.error();
  const MonotonicClock clock;
  auto signals = Signals::handle(*loop, {SIGTERM, SIGINT}, [&loop](int) { loop->stop(); });
  if (!signals) return signals.error();
  auto server = Server::start(*loop, clock, *std::move(config));
  if (!server) return server.error();
  auto ran = loop->run();
  if (!ran) return ran.error();
  std::cout << (*server)->stats().dump() << std::endl;
  if (!options.log.empty() && !log.flush()) return Error("cannot write all of " + options.log);
  return {};
}

}  // namespace
}  // namespace flare::lab

int main(int argc, char** argv) {
  CLI::App app("HTTP server with a known capacity: c slots, a request sleeps in one");
  flare::lab::Options options;
  flare::lab::describe(app, options);
  flare::lab::describe_instances(app, options);
  flare::lab::describe_calls(app, options);
  CLI11_PARSE(app, argc, argv);
  flare::lab::raise_descriptor_limit();
  const auto served = flare::lab::serve(options);
  if (served) return 0;
  std::cerr << "flare-backend: " << served.error().message() << '\n';
  return 1;
}
