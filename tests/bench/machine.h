// The machine that is measured on: what it is, and how this process holds still on it.
#pragma once

#include <string>

namespace flare::bench {

struct Machine {
  std::string cpu;
  std::string kernel;
  unsigned cpus = 0;
  double load = 0;  ///< of the last minute, before the run
};
Machine this_machine();

/// Ties this process to one CPU. Throws std::runtime_error where there is no such CPU.
void pin_to_cpu(int cpu);

}  // namespace flare::bench
