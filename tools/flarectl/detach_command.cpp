// flarectl detach: takes the datapath away. Through flared where it runs, else directly.
#include <iostream>

#include "flarectl/agent_client.h"
#include "flarectl/commands.h"
#include "kernel/datapath.h"

namespace flare::ctl {
namespace {

struct Options {
  std::string interface;
  bool yes = false;
};

int detach_directly(const Context& context, const Options& options) {
  if (!options.interface.empty()) {
    auto detached = detach_interface(context.pin_dir, options.interface);
    if (!detached) return fail(kMaps, detached.error().message());
    if (!*detached) return fail(kNotFound, "nothing of Flare is attached to " + options.interface);
    if (context.json) {
      print_json("detach", {{"ok", true}, {"direct", true}, {"interface", options.interface}});
    } else {
      std::cout << "detached " << options.interface << " (directly, as flared does not run)\n";
    }
    return kOk;
  }
  auto report = detach_all(context.pin_dir);
  if (!report) return fail(kFailure, report.error().message());
  if (context.json) {
    print_json("detach", {{"ok", true},
                          {"direct", true},
                          {"links", report->links},
                          {"filters", report->filters},
                          {"maps", report->maps}});
  } else if (report->links + report->filters + report->maps == 0) {
    std::cout << "nothing of Flare was there\n";
  } else {
    std::cout << "removed " << report->links << " links, " << report->filters << " filters and "
              << report->maps << " maps (directly, as flared does not run)\n";
  }
  return kOk;
}

int run(const Context& context, const Options& options) {
  std::string what = options.interface.empty() ? "all interfaces" : options.interface;
  if (!options.yes) {
    return fail(kUsage, "this takes Flare off " + what +
                            " and breaks every spilled flow there; add --yes to do it");
  }
  Json request{{"command", "detach"},
               {"interface", options.interface.empty() ? "all" : options.interface}};
  AgentAnswer ping = ask_agent(context, {{"command", "ping"}}, 2);
  if (ping.kind == AgentAnswer::Kind::kNoAgent) return detach_directly(context, options);
  return ask_and_print(context, "detach", request);
}

}  // namespace

void add_detach(CLI::App& app, Context& context) {
  CLI::App& command =
      *app.add_subcommand("detach", "take Flare off one or all interfaces; spilled flows break");
  auto& options = command_options<Options>(command, context, run);
  command.add_option("--interface", options.interface, "only this one")->type_name("NAME");
  command.add_flag("--yes", options.yes, "really do it");
}

}  // namespace flare::ctl
