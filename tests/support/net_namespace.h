// Network namespaces of a test's own, and commands run in them.
#pragma once

#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace flare::test {

/// Moves this process into a new network namespace with loopback up. Fails the program where it may
/// not: tests of the datapath need root.
void enter_new_network_namespace();

/// Gives this process a /sys/fs/bpf of its own: whatever it pins goes when it ends.
void mount_private_bpffs();

/// Runs a shell command; throws std::runtime_error with its output where it fails.
std::string run(const std::string& command);

}  // namespace flare::test
