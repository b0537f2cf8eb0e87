#include "kernel/device.h"

#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <span>

#include "base/unique_fd.h"
#include "model/address.h"

namespace flare {
namespace {

constexpr std::size_t kReplyBytes = 64 * 1024;

struct LinkRequest {
  nlmsghdr header;
  ifinfomsg body;
};
struct RouteRequest {
  nlmsghdr header;
  rtmsg body;
  rtattr attribute;
  flare_addr address;  ///< of IPv4: its first word
};

/// Calls `visit(type, data)` for each attribute in `bytes`.
void for_each_attribute(std::span<const std::byte> bytes,
                        const std::function<void(int, std::span<const std::byte>)>& visit) {
  while (bytes.size() >= sizeof(rtattr)) {
    rtattr attribute;
    std::memcpy(&attribute, bytes.data(), sizeof(attribute));
    if (attribute.rta_len < sizeof(rtattr) || attribute.rta_len > bytes.size()) return;
    visit(attribute.rta_type & NLA_TYPE_MASK,
          bytes.subspan(sizeof(rtattr), attribute.rta_len - sizeof(rtattr)));
    std::size_t taken = RTA_ALIGN(attribute.rta_len);
    bytes = bytes.subspan(taken < bytes.size() ? taken : bytes.size());
  }
}

std::uint32_t number_in(std::span<const std::byte> data) {
  std::uint32_t number = 0;
  std::memcpy(&number, data.data(), data.size() < sizeof(number) ? data.size() : sizeof(number));
  return number;
}

std::string text_in(std::span<const std::byte> data) {
  const char* start = reinterpret_cast<const char*>(data.data());
  return std::string(start, ::strnlen(start, data.size()));
}

void read_xdp(std::span<const std::byte> nested, Device& device) {
  std::uint32_t attached = XDP_ATTACHED_NONE;
  for_each_attribute(nested, [&](int type, std::span<const std::byte> data) {
    if (type == IFLA_XDP_ATTACHED) attached = number_in(data);
    bool is_program = type == IFLA_XDP_PROG_ID || type == IFLA_XDP_DRV_PROG_ID ||
                      type == IFLA_XDP_SKB_PROG_ID || type == IFLA_XDP_HW_PROG_ID;
    if (is_program && number_in(data) != 0) device.xdp_program_id = number_in(data);
  });
  device.xdp_generic = attached == XDP_ATTACHED_SKB;
}

Device read_device(std::span<const std::byte> message) {
  ifinfomsg body;
  std::memcpy(&body, message.data(), sizeof(body));
  Device device;
  device.ifindex = static_cast<std::uint32_t>(body.ifi_index);
  device.loopback = body.ifi_type == ARPHRD_LOOPBACK;
  device.ethernet = body.ifi_type == ARPHRD_ETHER || device.loopback;
  device.up = (body.ifi_flags & IFF_UP) != 0;
  for_each_attribute(message.subspan(NLMSG_ALIGN(sizeof(body))),
                     [&](int type, std::span<const std::byte> data) {
                       if (type == IFLA_IFNAME) device.name = text_in(data);
                       if (type == IFLA_MTU) device.mtu = number_in(data);
                       if (type == IFLA_XDP) read_xdp(data, device);
                       if (type != IFLA_LINKINFO) return;
                       for_each_attribute(data, [&](int inner, std::span<const std::byte> info) {
                         if (inner == IFLA_INFO_KIND) device.kind = text_in(info);
                       });
                     });
  return device;
}

/// Reads one datagram of replies into `devices`. True when the answer is complete.
Result<bool> read_replies(int socket, bool dump, std::vector<Device>& devices) {
  std::vector<std::byte> buffer(kReplyBytes);
  ssize_t got = ::recv(socket, buffer.data(), buffer.size(), 0);
  if (got < 0) return Error::from_errno("cannot read the list of devices", errno);
  std::span<const std::byte> bytes(buffer.data(), static_cast<std::size_t>(got));
  while (bytes.size() >= sizeof(nlmsghdr)) {
    nlmsghdr header;
    std::memcpy(&header, bytes.data(), sizeof(header));
    if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > bytes.size()) break;
    auto body = bytes.subspan(NLMSG_HDRLEN, header.nlmsg_len - NLMSG_HDRLEN);
    if (header.nlmsg_type == NLMSG_DONE) return true;
    if (header.nlmsg_type == NLMSG_ERROR) {
      int code = -static_cast<int>(number_in(body));
      if (code == ENODEV) return true;
      return Error::from_errno("cannot list devices", code);
    }
    if (header.nlmsg_type == RTM_NEWLINK && body.size() >= sizeof(ifinfomsg)) {
      devices.push_back(read_device(body));
      if (!dump) return true;
    }
    std::size_t taken = NLMSG_ALIGN(header.nlmsg_len);
    bytes = bytes.subspan(taken < bytes.size() ? taken : bytes.size());
  }
  return false;
}

/// All devices, or with `ifindex` not 0 that one.
Result<std::vector<Device>> ask(unsigned ifindex) {
  UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!socket) return Error::from_errno("cannot open a netlink socket", errno);
  bool dump = ifindex == 0;
  LinkRequest request{};
  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = RTM_GETLINK;
  request.header.nlmsg_flags =
      static_cast<__u16>(dump ? NLM_F_REQUEST | NLM_F_DUMP : NLM_F_REQUEST);
  request.body.ifi_family = AF_UNSPEC;
  request.body.ifi_index = static_cast<int>(ifindex);
  if (::send(socket.get(), &request, sizeof(request), 0) < 0) {
    return Error::from_errno("cannot ask for the list of devices", errno);
  }
  std::vector<Device> devices;
  while (true) {
    auto complete = read_replies(socket.get(), dump, devices);
    if (!complete) return complete.error();
    if (*complete) return devices;
  }
}

/// The device in the one answer to a RouteRequest; nothing where it is an error: there is no route.
Result<std::optional<std::uint32_t>> read_route(int socket) {
  std::vector<std::byte> buffer(kReplyBytes);
  const ssize_t got = ::recv(socket, buffer.data(), buffer.size(), 0);
  if (got < 0) return Error::from_errno("cannot read a route", errno);
  const std::span<const std::byte> bytes(buffer.data(), static_cast<std::size_t>(got));
  nlmsghdr header{};
  std::optional<std::uint32_t> device;
  if (bytes.size() < NLMSG_LENGTH(sizeof(rtmsg))) return device;
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (header.nlmsg_type != RTM_NEWROUTE) return device;
  for_each_attribute(bytes.subspan(NLMSG_LENGTH(sizeof(rtmsg))),
                     [&](int type, std::span<const std::byte> data) {
                       if (type == RTA_OIF) device = number_in(data);
                     });
  return device;
}

}  // namespace

Result<std::optional<Device>> find_device(std::string_view name) {
  unsigned ifindex = ::if_nametoindex(std::string(name).c_str());
  if (ifindex == 0) return std::optional<Device>();
  auto devices = ask(ifindex);
  if (!devices) return devices.error();
  if (devices->empty()) return std::optional<Device>();
  return std::optional<Device>(devices->front());
}

Result<std::vector<Device>> list_devices() { return ask(0); }

Result<std::optional<std::uint32_t>> route_device(const flare_addr& address) {
  UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!socket) return Error::from_errno("cannot open a netlink socket", errno);
  const bool v4 = Address{address}.is_v4();
  RouteRequest request{};
  request.body.rtm_family = v4 ? AF_INET : AF_INET6;
  request.body.rtm_dst_len = v4 ? 32 : 128;
  request.attribute.rta_type = RTA_DST;
  request.attribute.rta_len = RTA_LENGTH(v4 ? sizeof(__be32) : sizeof(flare_addr));
  request.address = address;
  if (v4) request.address.word[0] = address.word[3];
  request.header.nlmsg_len =
      static_cast<__u32>(NLMSG_LENGTH(sizeof(rtmsg)) + request.attribute.rta_len);
  request.header.nlmsg_type = RTM_GETROUTE;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  if (::send(socket.get(), &request, request.header.nlmsg_len, 0) < 0) {
    return Error::from_errno("cannot ask for a route", errno);
  }
  return read_route(socket.get());
}

}  // namespace flare
