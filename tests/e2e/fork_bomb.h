// Neighbours that leave no time to others.
#pragma once

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

namespace flare::test {

/// Processes at our own priority that do nothing but make processes, a fixed number of each; they
/// end with this.
class ForkBomb {
 public:
  explicit ForkBomb(int processes) {
    for (int i = 0; i < processes; ++i) {
      const pid_t child = ::fork();
      if (child == 0) multiply();
      children_.push_back(child);
    }
  }
  ForkBomb(const ForkBomb&) = delete;
  ForkBomb& operator=(const ForkBomb&) = delete;
  ~ForkBomb() {
    for (const pid_t child : children_) {
      ::kill(child, SIGKILL);
      ::waitpid(child, nullptr, 0);
    }
  }

 private:
  [[noreturn]] static void multiply() {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
      const pid_t child = ::fork();
      if (child == 0) ::_exit(0);
      ::waitpid(child, nullptr, 0);
    }
  }

  std::vector<pid_t> children_;
};

}  // namespace flare::test
