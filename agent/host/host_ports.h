// The host's sysctls about local ports, read and appended to.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/host_ports.h"

namespace flare {

/// Reads both sysctls below `sysctl_root` (/proc/sys).
Result<HostPorts> read_host_ports(const std::filesystem::path& sysctl_root);

/// Adds `range` to ip_local_reserved_ports, keeping what stands there. False where all of it was
/// there before.
Result<bool> reserve_ports(const std::filesystem::path& sysctl_root, PortRange range);

/// `1-3,7` as ranges, and back. The kernel's own form; empty text is no range.
Result<std::vector<PortRange>> parse_ranges(std::string_view text);
std::string ranges_text(const std::vector<PortRange>& ranges);

/// `ranges` with `more`, in order and without overlaps.
std::vector<PortRange> with_range(std::vector<PortRange> ranges, PortRange more);

}  // namespace flare
