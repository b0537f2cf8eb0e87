// flarectl report: what a service has in flight, and how many requests it had, told to flared.
#include <cstdint>
#include <optional>

#include "flarectl/agent_client.h"
#include "flarectl/commands.h"

namespace flare::ctl {
namespace {

struct Options {
  std::string service;
  std::optional<std::uint64_t> in_flight;
  std::optional<std::uint64_t> requests;
};

int run(const Context& context, const Options& options) {
  if (!options.in_flight && !options.requests) {
    return fail(kUsage, "a report needs --in-flight, --requests or both");
  }
  Json request{{"command", "report"}, {"service", options.service}};
  if (options.in_flight) request["in_flight"] = *options.in_flight;
  if (options.requests) request["requests"] = *options.requests;
  return ask_and_print(context, "report", request);
}

}  // namespace

void add_report(CLI::App& app, Context& context) {
  CLI::App& command =
      *app.add_subcommand("report", "tell flared the load of a service that is counted so");
  auto& options = command_options<Options>(command, context, run);
  command.add_option("SERVICE", options.service, "the service's name")->required();
  command.add_option("--in-flight", options.in_flight, "requests in flight")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  command.add_option("--requests", options.requests, "requests since the service started")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
}

}  // namespace flare::ctl
