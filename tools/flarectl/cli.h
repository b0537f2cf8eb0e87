// flarectl as a function, for main() and for tests.
#pragma once

namespace flare::ctl {

/// Parses and runs one command line; data goes to stdout, the rest to stderr. Returns an ExitCode.
int run_command_line(int argc, const char* const* argv);

}  // namespace flare::ctl
