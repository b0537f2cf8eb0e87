#include "loop/network_watch.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace flare {
namespace {

/// A message of rtnetlink is a page at most.
constexpr std::size_t kDatagramBytes = 32'768;

/// Adds what the messages of one datagram say.
void add_messages(const char* data, std::size_t size, NetworkChange& change) {
  while (size >= sizeof(nlmsghdr)) {
    nlmsghdr header{};
    std::memcpy(&header, data, sizeof(header));
    if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > size) return;
    switch (header.nlmsg_type) {
      case RTM_NEWLINK:
      case RTM_DELLINK:
        change.links = true;
        break;
      case RTM_NEWADDR:
      case RTM_DELADDR:
        change.addresses = true;
        break;
      default:
        break;
    }
    const std::size_t taken = NLMSG_ALIGN(header.nlmsg_len);
    if (taken >= size) return;
    data += taken;
    size -= taken;
  }
}

}  // namespace

Result<std::unique_ptr<NetworkWatch>> NetworkWatch::on(
    EventLoop& loop, std::function<void(NetworkChange)> callback) {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!fd) return Error::from_errno("cannot make a netlink socket", errno);
  sockaddr_nl groups{};
  groups.nl_family = AF_NETLINK;
  groups.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&groups), sizeof(groups)) != 0) {
    return Error::from_errno("cannot hear of changes of the network", errno);
  }
  const int number = fd.get();
  std::unique_ptr<NetworkWatch> watch(new NetworkWatch(loop, std::move(fd), std::move(callback)));
  auto watched =
      loop.watch(number, EPOLLIN, [self = watch.get()](std::uint32_t) { self->on_events(); });
  if (!watched) return watched.error();
  return watch;
}

void NetworkWatch::on_events() {
  std::array<char, kDatagramBytes> buffer{};
  NetworkChange change;
  for (;;) {
    const ssize_t size = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_TRUNC);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno != ENOBUFS) break;
    if (size < 0 || static_cast<std::size_t>(size) > buffer.size()) {
      // Something was lost; what is left in the queue is older than what will be looked up.
      change = {.links = true, .addresses = true};
      continue;
    }
    add_messages(buffer.data(), static_cast<std::size_t>(size), change);
  }
  if (change.links || change.addresses) callback_(change);
}

NetworkWatch::~NetworkWatch() { loop_.forget(fd_.get()); }

}  // namespace flare
