// Checks of the NAT port range and of interfaces, by /proc, netlink and ethtool.
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "base/unique_fd.h"
#include "flarectl/doctor.h"
#include "kernel/hook_query.h"

namespace flare::ctl {
namespace {

/// The first line of a file; empty where it cannot be read.
std::string line_of(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// Whether each port of [min, max] is in a list such as "8080,10000-20000".
bool covers(const std::string& list, unsigned min, unsigned max) {
  std::set<std::pair<unsigned, unsigned>> ranges;
  std::istringstream words(list);
  for (std::string word; std::getline(words, word, ',');) {
    unsigned first = 0;
    unsigned last = 0;
    int read = std::sscanf(word.c_str(), "%u-%u", &first, &last);
    if (read >= 1) ranges.emplace(first, read == 2 ? last : first);
  }
  unsigned wanted = min;
  for (const auto& [first, last] : ranges) {
    if (first <= wanted && last >= wanted) wanted = last + 1;
  }
  return wanted > max;
}

/// Local ports of listening TCP or bound UDP sockets of this namespace.
std::set<unsigned> bound_ports() {
  std::set<unsigned> ports;
  for (const char* table : {"tcp", "tcp6", "udp", "udp6"}) {
    std::ifstream file(std::string("/proc/self/net/") + table);
    std::string line;
    std::getline(file, line);
    while (std::getline(file, line)) {
      unsigned port = 0;
      unsigned state = 0;
      int read =
          std::sscanf(line.c_str(), " %*d: %*[0-9A-Fa-f]:%X %*[0-9A-Fa-f]:%*X %X", &port, &state);
      constexpr unsigned kListening = 0x0A;
      constexpr unsigned kUdpBound = 0x07;
      if (read == 2 && (state == kListening || state == kUdpBound)) ports.insert(port);
    }
  }
  return ports;
}

/// A value of an ethtool flag ("get" command), or -1.
int ethtool(const std::string& name, std::uint32_t command) {
  UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ethtool_value value{command, 0};
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_data = reinterpret_cast<char*>(&value);
  if (!socket || ::ioctl(socket.get(), SIOCETHTOOL, &request) != 0) return -1;
  return static_cast<int>(value.data);
}

void check_users(const Subject& subject, Checks& checks) {
  const Device& device = subject.device;
  auto users = hook_users(device.ifindex, device.xdp_program_id);
  if (!users) {
    checks.push_back({"hook-users", device.name, Health::kNote, users.error().message(), ""});
    return;
  }
  std::string found;
  for (const HookUser& user : *users) {
    if (user.program.is_flare()) continue;
    found += (found.empty() ? "" : "; ") + std::string(to_text(user.hook)) + " (" + user.via +
             "): " + user.program.text();
  }
  if (found.empty()) {
    checks.push_back({"hook-users", device.name, Health::kOk,
                      "no other program is on its XDP and tc hooks", ""});
  } else {
    checks.push_back({"hook-users", device.name, Health::kWarn, "other programs run here: " + found,
                      "what they drop or send on before Flare sees it is lost to Flare; compare "
                      "flarectl counters"});
  }
}

void check_forwarding(const Subject& subject, Checks& checks) {
  const std::string& name = subject.device.name;
  bool v4 = line_of("/proc/sys/net/ipv4/conf/" + name + "/forwarding") == "1";
  bool v6 = line_of("/proc/sys/net/ipv6/conf/" + name + "/forwarding") == "1";
  if (v4 && v6) {
    checks.push_back({"forwarding", name, Health::kOk, "forwarding is on for IPv4 and IPv6", ""});
    return;
  }
  std::string off = v4 ? "IPv6" : v6 ? "IPv4" : "IPv4 and IPv6";
  bool xdp = subject.attached && subject.attached->mode == FLARE_ATTACH_XDP;
  std::string advice;
  if (!v4) advice = "sysctl -w net.ipv4.conf." + name + ".forwarding=1";
  if (!v6)
    advice += (advice.empty() ? "" : "; ") + ("sysctl -w net.ipv6.conf." + name + ".forwarding=1");
  checks.push_back(
      {"forwarding", name, xdp ? Health::kWarn : Health::kNote,
       "forwarding is off for " + off +
           (xdp ? ": XDP cannot look up next hops and leaves every spilled packet to tc, slower"
                : ": tc finds next hops by the neighbour helper, which costs a little more"),
       xdp ? advice : ""});
}

void check_rp_filter(const Subject& subject, Checks& checks) {
  const std::string& name = subject.device.name;
  auto level = [](const std::string& where) {
    std::string text = line_of("/proc/sys/net/ipv4/conf/" + where + "/rp_filter");
    return text.empty() ? 0 : std::stoi(text);
  };
  bool strict = std::max(level("all"), level(name)) == 1;
  checks.push_back(
      {"rp-filter", name, strict ? Health::kNote : Health::kOk,
       strict ? "rp_filter is strict: packets whose way back is another interface are "
                "dropped by the stack, also those of the VM tier"
              : "rp_filter does not stand in the way",
       strict ? "with several uplinks: sysctl -w net.ipv4.conf." + name + ".rp_filter=2" : ""});
}

void check_offloads(const Subject& subject, Checks& checks) {
  const std::string& name = subject.device.name;
  int flags = ethtool(name, ETHTOOL_GFLAGS);
  bool lro = flags >= 0 && (static_cast<unsigned>(flags) & ETH_FLAG_LRO) != 0;
  auto on_off = [](int value) { return value < 0 ? "unknown" : value == 0 ? "off" : "on"; };
  std::string finding = std::string("rx-checksum ") + on_off(ethtool(name, ETHTOOL_GRXCSUM)) +
                        ", tx-checksum " + on_off(ethtool(name, ETHTOOL_GTXCSUM)) + ", tso " +
                        on_off(ethtool(name, ETHTOOL_GTSO)) + ", gso " +
                        on_off(ethtool(name, ETHTOOL_GGSO)) + ", gro " +
                        on_off(ethtool(name, ETHTOOL_GGRO)) + ", lro " + (lro ? "on" : "off");
  bool xdp = subject.attached && subject.attached->mode == FLARE_ATTACH_XDP;
  bool software = !subject.device.kind.empty();
  if (lro) {
    checks.push_back({"offloads", name, Health::kWarn,
                      finding + ": merged packets lose their borders, and most drivers refuse XDP",
                      "ethtool -K " + name + " lro off"});
  } else if (xdp && software) {
    checks.push_back({"offloads", name, Health::kWarn,
                      finding + "; XDP on a " + subject.device.kind +
                          " sees unfinished checksums of senders on this host; what it forwards of "
                          "those is lost",
                      "mode auto or tc for " + name});
  } else {
    checks.push_back({"offloads", name, Health::kOk, finding, ""});
  }
}

void check_mtu(const Subject& subject, Checks& checks) {
  const Device& device = subject.device;
  bool small_for_v6 = device.mtu < 1280;
  checks.push_back(
      {"mtu", device.name, small_for_v6 ? Health::kWarn : Health::kOk,
       "MTU " + std::to_string(device.mtu) + (small_for_v6 ? ", too small for IPv6" : ""),
       small_for_v6 ? "ip link set " + device.name + " mtu 1500" : ""});
  if (!device.up) {
    checks.push_back({"link", device.name, Health::kFail, "the device is down",
                      "ip link set " + device.name + " up"});
  }
}

}  // namespace

void check_ports(const flare_settings& settings, Checks& checks) {
  unsigned min = settings.nat_port_min;
  unsigned max = settings.nat_port_max;
  std::string range = std::to_string(min) + "-" + std::to_string(max);
  unsigned first = 0;
  unsigned last = 0;
  std::istringstream(line_of("/proc/sys/net/ipv4/ip_local_port_range")) >> first >> last;
  bool overlaps = first <= max && last >= min;
  unsigned from = std::max(min, first);
  unsigned to = std::min(max, last);
  bool reserved = covers(line_of("/proc/sys/net/ipv4/ip_local_reserved_ports"), from, to);
  if (!overlaps) {
    checks.push_back({"nat-ports", "", Health::kOk,
                      "the NAT ports " + range + " are apart from the host's own " +
                          std::to_string(first) + "-" + std::to_string(last),
                      ""});
  } else if (reserved) {
    checks.push_back({"nat-ports", "", Health::kOk,
                      "the NAT ports " + range + " are reserved, so the host takes none of them",
                      ""});
  } else {
    checks.push_back(
        {"nat-ports", "", Health::kFail,
         "the host gives its own connections ports " + std::to_string(from) + "-" +
             std::to_string(to) + ", which Flare uses for spilled flows",
         "set nat.reserve: true, or sysctl -w net.ipv4.ip_local_reserved_ports=" + range});
  }
  std::string taken;
  for (unsigned port : bound_ports()) {
    if (port >= min && port <= max) taken += (taken.empty() ? "" : ", ") + std::to_string(port);
  }
  if (!taken.empty()) {
    checks.push_back({"bound-ports", "", Health::kWarn,
                      "local sockets are bound to NAT ports: " + taken,
                      "move them, or the range (nat.port_min, nat.port_max)"});
  }
}

void check_interface(const Subject& subject, Checks& checks) {
  check_users(subject, checks);
  check_forwarding(subject, checks);
  check_rp_filter(subject, checks);
  check_offloads(subject, checks);
  check_mtu(subject, checks);
}

}  // namespace flare::ctl
