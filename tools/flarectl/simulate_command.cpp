// flarectl simulate: which way would a new flow go, and why. Changes nothing.
#include <iostream>

#include "flarectl/commands.h"
#include "flarectl/simulate.h"
#include "flarectl/table.h"

namespace flare::ctl {
namespace {

struct Options {
  std::string protocol = "tcp";
  std::string source;
  std::string destination;
};

Json simulation_json(const Options& options, const Simulation& done) {
  Json steps = Json::array();
  for (const SimulatedStep& step : done.steps) {
    steps.push_back({{"step", step.step}, {"finding", step.finding}});
  }
  auto or_null = [](const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); };
  return {{"protocol", options.protocol},
          {"source", options.source},
          {"destination", options.destination},
          {"verdict", done.verdict},
          {"reason", done.reason},
          {"service", or_null(done.service)},
          {"backend", or_null(done.backend)},
          {"snat", or_null(done.snat)},
          {"hash", done.hash},
          {"steps", steps}};
}

Tone tone_of(const std::string& verdict) {
  if (verdict == "serverless") return Tone::kWarn;
  return verdict == "drop" || verdict == "reject" || verdict == "answer" ? Tone::kBad : Tone::kGood;
}

int run(const Context& context, const Options& options) {
  auto source = Endpoint::parse(options.source);
  auto destination = Endpoint::parse(options.destination);
  if (!source || !destination) {
    return fail(kUsage, "'" + (source ? options.destination : options.source) +
                            "' is no address with port, such as 192.0.2.1:80 or [2001:db8::1]:80");
  }
  if (source->address.is_v4() != destination->address.is_v4()) {
    return fail(kUsage, "source and destination are of different families");
  }
  auto maps = open_maps(context);
  if (!maps) return kMaps;
  std::uint8_t protocol = options.protocol == "udp" ? 17 : 6;
  auto done = simulate(*maps, {*source, *destination, protocol}, now_ns());
  if (!done) return fail(kMaps, done.error().message());
  if (context.json) {
    print_json("simulate", simulation_json(options, *done));
    return kOk;
  }
  Facts facts;
  for (const SimulatedStep& step : done->steps) facts.add(step.step, step.finding);
  facts.add("verdict", {done->verdict + (done->reason.empty() ? "" : " (" + done->reason + ")"),
                        tone_of(done->verdict)});
  facts.print(std::cout, context);
  return kOk;
}

}  // namespace

void add_simulate(CLI::App& app, Context& context) {
  CLI::App& command = *app.add_subcommand(
      "simulate", "which way a first packet would go now and why, changing nothing");
  auto& options = command_options<Options>(command, context, run);
  command.add_option("--proto", options.protocol, "tcp or udp")
      ->check(CLI::IsMember({"tcp", "udp"}))
      ->capture_default_str();
  command.add_option("--src", options.source, "the client's address and port")
      ->required()
      ->type_name("ADDR:PORT");
  command.add_option("--dst", options.destination, "where it goes")
      ->required()
      ->type_name("ADDR:PORT");
}

}  // namespace flare::ctl
