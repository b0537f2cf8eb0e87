// Loaded programs, tried on made packets before they get anybody's.
#pragma once

#include "base/result.h"
#include "flare/abi.h"
#include "kernel/maps.h"

namespace flare {

/// Runs a program (BPF_PROG_TEST_RUN) on packets that change nothing but the count of their reason:
/// ARP, TCP of no service over IPv4 and IPv6, one that is cut, and, where `maps` have a TCP
/// service, a segment to it with impossible flags. Fails where it returns another verdict than it
/// must, changes a byte, or does not count the reason. Needs CAP_BPF and CAP_NET_ADMIN.
Result<void> dry_run(flare_hook hook, int program_fd, const Maps& maps);

}  // namespace flare
