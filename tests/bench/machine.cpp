#include "machine.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/utsname.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <thread>

namespace flare::bench {

Machine this_machine() {
  Machine found;
  found.cpus = std::thread::hardware_concurrency();
  utsname names{};
  if (uname(&names) == 0)
    found.kernel = std::string(names.release) + " " + std::string(names.machine);
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    const std::size_t colon = line.find(": ");
    if (!line.starts_with("model name") || colon == std::string::npos) continue;
    found.cpu = line.substr(colon + 2);
    break;
  }
  double load = 0;
  if (getloadavg(&load, 1) == 1) found.load = load;
  return found;
}

void pin_to_cpu(int cpu) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<std::size_t>(cpu), &one);
  if (sched_setaffinity(0, sizeof one, &one) != 0)
    throw std::runtime_error("cannot run on CPU " + std::to_string(cpu) + ": " +
                             std::strerror(errno));
}

}  // namespace flare::bench
