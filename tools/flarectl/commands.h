// Every command's entry: adds its words to the command line and sets context.action when chosen.
#pragma once

#include <CLI/CLI.hpp>

#include "flarectl/context.h"

namespace flare::ctl {

void add_status(CLI::App& app, Context& context);
void add_service(CLI::App& app, Context& context);
void add_backend(CLI::App& app, Context& context);
void add_flow(CLI::App& app, Context& context);
void add_counters(CLI::App& app, Context& context);
void add_nat(CLI::App& app, Context& context);
void add_spills(CLI::App& app, Context& context);
void add_simulate(CLI::App& app, Context& context);
void add_doctor(CLI::App& app, Context& context);
void add_share(CLI::App& app, Context& context);
void add_report(CLI::App& app, Context& context);
void add_workers(CLI::App& app, Context& context);
void add_detach(CLI::App& app, Context& context);

/// `backend add` and `backend remove`, beside the other words of `backend`.
void add_endpoint_verbs(CLI::App& backend, Context& context);

/// Makes `command` do `run(options)` with options of its own that live as long as the command line.
template <typename Options, typename Run>
Options& command_options(CLI::App& command, Context& context, Run run) {
  auto options = std::make_shared<Options>();
  command.callback([options, run, &context] {
    context.action = [options, run, &context] { return run(context, *options); };
  });
  return *options;
}

}  // namespace flare::ctl
