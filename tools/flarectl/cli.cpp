// The command line: its words, the options that all commands share, and what is run.
#include "flarectl/cli.h"

#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "flare/abi.h"
#include "flarectl/commands.h"
#include "kernel/libbpf_log.h"

namespace flare::ctl {
namespace {

std::string version_text() {
  return std::string("flarectl " FLARE_VERSION ", map layout v") +
         std::to_string(FLARE_ABI_VERSION) + ", libbpf " + libbpf_version();
}

void add_common_options(CLI::App& app, Context& context) {
  static_cast<void>(
      app.add_option_function<std::string>(
             "-o,--output",
             [&context](const std::string& format) { context.json = format == "json"; },
             "table or json")
          ->check(CLI::IsMember({"table", "json"}))
          ->type_name("FORMAT")
          ->take_last());
  app.add_flag_callback(
      "--no-headers", [&context] { context.headers = false; }, "tables without their first line");
  app.add_option("--pin-dir", context.pin_dir, "where the datapath is pinned")
      ->capture_default_str()
      ->type_name("DIR")
      ->take_last();
  app.add_option("--socket", context.socket, "flared's control socket")
      ->capture_default_str()
      ->type_name("PATH")
      ->take_last();
  app.set_version_flag("--version", version_text());
}

}  // namespace

int run_command_line(int argc, const char* const* argv) {
  set_libbpf_sink({});
  Context context;
  context.colour = ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
  CLI::App app("Looks at Flare's datapath and tells flared what to change.", "flarectl");
  app.require_subcommand(0, 1);
  app.fallthrough();
  app.get_formatter()->column_width(28);
  add_common_options(app, context);
  add_status(app, context);
  add_service(app, context);
  add_backend(app, context);
  add_flow(app, context);
  add_counters(app, context);
  add_nat(app, context);
  add_spills(app, context);
  add_simulate(app, context);
  add_doctor(app, context);
  add_share(app, context);
  add_report(app, context);
  add_workers(app, context);
  add_detach(app, context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error, std::cout, std::cerr) == 0 ? kOk : kUsage;
  }
  if (context.action) return context.action();
  std::cerr << app.help();
  return kUsage;
}

}  // namespace flare::ctl
