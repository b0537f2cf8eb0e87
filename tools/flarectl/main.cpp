// flarectl: looks at Flare's datapath through its pinned maps, and tells the agent what to change.
#include "flarectl/cli.h"

int main(int argc, char** argv) { return flare::ctl::run_command_line(argc, argv); }
