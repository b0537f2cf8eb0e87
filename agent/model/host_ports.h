// Which local ports the host's own sockets may take, as plain data.
#pragma once

#include <cstdint>
#include <vector>

namespace flare {

/// Ports from `min` to `max`, both included, host order.
struct PortRange {
  std::uint16_t min = 0;
  std::uint16_t max = 0;
  bool operator==(const PortRange&) const = default;
};

/// The sysctls net.ipv4.ip_local_port_range and net.ipv4.ip_local_reserved_ports (both families).
struct HostPorts {
  PortRange ephemeral{32768, 60999};
  std::vector<PortRange> reserved;  ///< in ascending order, not touching each other
};

}  // namespace flare
