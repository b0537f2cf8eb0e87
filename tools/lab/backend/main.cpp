// flare-backend: an HTTP server with a known, limited capacity. Reads the command line, joins the
// parts, and ends on SIGTERM or SIGINT with one line of JSON.
#include <CLI/CLI.hpp>
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
  double cold_start_ms = 0;
  double keep_alive_s = 300;
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
  app.add_option("--cold-start-ms", options.cold_start_ms, "delay of a new instance")
      ->capture_default_str();
  app.add_option("--prewarmed", server.instances.prewarmed, "instances that are warm at the start")
      ->capture_default_str();
  app.add_option("--keep-alive-s", options.keep_alive_s, "life of an idle instance")
      ->capture_default_str();
  app.add_option("--log", options.log,
                 "file for a line a request: microseconds from read to the answer's first byte");
}

Result<ServerConfig> checked(const Options& options) {
  ServerConfig config = options.server;
  for (const std::string& text : options.listen) {
    const auto endpoint = Endpoint::parse(text);
    if (!endpoint) return Error("--listen " + text + ": expected an address and a port");
    config.listen.push_back(*endpoint);
  }
  const bool negative = config.times.mean_ms < 0 || config.times.sigma < 0 || config.slow < 0 ||
                        options.cold_start_ms < 0 || options.keep_alive_s < 0;
  if (negative) return Error("times and factors cannot be negative");
  config.instances.cold_start_ns = static_cast<std::uint64_t>(options.cold_start_ms * 1e6);
  config.instances.keep_alive_ns = static_cast<std::uint64_t>(options.keep_alive_s * 1e9);
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
  CLI11_PARSE(app, argc, argv);
  flare::lab::raise_descriptor_limit();
  const auto served = flare::lab::serve(options);
  if (served) return 0;
  std::cerr << "flare-backend: " << served.error().message() << '\n';
  return 1;
}
