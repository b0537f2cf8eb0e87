// Network devices of our namespace, by rtnetlink: /sys/class/net may show another namespace's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "flare/abi.h"

namespace flare {

/// What we need to know of a device to attach to it and to judge it.
struct Device {
  std::uint32_t ifindex = 0;
  std::string name;
  std::string kind;  ///< "veth", "bridge", "vlan", ...; empty: a NIC's driver, or loopback
  std::uint32_t mtu = 0;
  bool loopback = false;
  bool ethernet = false;  ///< packets carry an Ethernet header (loopback's do)
  bool up = false;
  std::uint32_t xdp_program_id = 0;  ///< 0: the XDP hook is free
  bool xdp_generic = false;          ///< that program runs in generic (skb) mode
};

/// The device called `name`, or nothing where there is none.
Result<std::optional<Device>> find_device(std::string_view name);
Result<std::vector<Device>> list_devices();

/// The device that a packet to `address` would leave by, or nothing where there is no route.
Result<std::optional<std::uint32_t>> route_device(const flare_addr& address);

}  // namespace flare
