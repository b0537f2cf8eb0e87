// flare-sim: the evaluation's simulator. README.md says what it models.
#include <CLI/CLI.hpp>

#include "eval/sim/commands.h"

int main(int argc, char** argv) {
  CLI::App app("Simulates Flare, the Flare paper's way and the autoscaler alone in a load spike");
  app.require_subcommand(1);
  int status = 0;
  flare::eval::add_run(app, status);
  flare::eval::add_table(app, status);
  flare::eval::add_validate(app, status);
  CLI11_PARSE(app, argc, argv);
  return status;
}
