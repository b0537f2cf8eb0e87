#include "support/net_namespace.h"

#include <sched.h>
#include <sys/mount.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>

namespace flare::test {

void enter_new_network_namespace() {
  if (::unshare(CLONE_NEWNET) != 0)
    throw std::runtime_error(std::string("unshare: ") + std::strerror(errno) + " (run as root)");
  run("ip link set lo up");
}

void mount_private_bpffs() {
  if (::unshare(CLONE_NEWNS) != 0 ||
      ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("bpf", "/sys/fs/bpf", "bpf", 0, nullptr) != 0)
    throw std::runtime_error(std::string("cannot mount a private bpffs: ") + std::strerror(errno));
}

std::string run(const std::string& command) {
  const auto close = [](FILE* pipe) { ::pclose(pipe); };
  std::unique_ptr<FILE, decltype(close)> pipe(::popen((command + " 2>&1").c_str(), "r"), close);
  if (!pipe) throw std::runtime_error("cannot run: " + command);
  std::string output;
  std::array<char, 4096> buffer;
  for (std::size_t got; (got = std::fread(buffer.data(), 1, buffer.size(), pipe.get())) > 0;)
    output.append(buffer.data(), got);
  const int status = ::pclose(pipe.release());
  if (status != 0) throw std::runtime_error("failed: " + command + "\n" + output);
  return output;
}

}  // namespace flare::test
