#include "common/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cerrno>
#include <climits>
#include <cstring>

namespace flare::lab {
namespace {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t bytes = 0;

  const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
};

SocketAddress socket_address(const Endpoint& endpoint) {
  SocketAddress address;
  if (endpoint.address.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(endpoint.port);
    v4.sin_addr.s_addr = endpoint.address.raw.word[3];
    address.bytes = sizeof(v4);
    std::memcpy(&address.storage, &v4, sizeof(v4));
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(endpoint.port);
    std::memcpy(&v6.sin6_addr, endpoint.address.raw.word, sizeof(v6.sin6_addr));
    address.bytes = sizeof(v6);
    std::memcpy(&address.storage, &v6, sizeof(v6));
  }
  return address;
}

bool set_flag(int fd, int level, int name) {
  const int on = 1;
  return ::setsockopt(fd, level, name, &on, sizeof(on)) == 0;
}

}  // namespace

Result<UniqueFd> listen_on(const Endpoint& endpoint) {
  const std::string what = "cannot listen on " + endpoint.text();
  const SocketAddress address = socket_address(endpoint);
  UniqueFd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return Error::from_errno(what, errno);
  set_flag(fd.get(), SOL_SOCKET, SO_REUSEADDR);
  if (address.family() == AF_INET6) set_flag(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY);
  if (::bind(fd.get(), address.raw(), address.bytes) != 0 || ::listen(fd.get(), INT_MAX) != 0) {
    return Error::from_errno(what, errno);
  }
  return fd;
}

std::uint16_t port_of(int fd) {
  sockaddr_in6 address{};  // the port of sockaddr_in lies at the same place
  socklen_t bytes = sizeof(address);
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &bytes) != 0) return 0;
  return ntohs(address.sin6_port);
}

Result<std::optional<UniqueFd>> accept_from(int listener) {
  for (;;) {
    UniqueFd fd(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd) {
      set_flag(fd.get(), IPPROTO_TCP, TCP_NODELAY);
      return std::optional<UniqueFd>{std::move(fd)};
    }
    if (errno == EAGAIN) return std::optional<UniqueFd>{};
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      return Error::from_errno("cannot accept a connection", errno);
    }
    // Anything else is the fate of one connection that did not wait for us: take the next.
  }
}

UniqueFd connect_to(const Endpoint& target, const std::optional<Address>& source, int& failed) {
  failed = 0;
  const SocketAddress address = socket_address(target);
  UniqueFd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) {
    failed = errno;
    return fd;
  }
  set_flag(fd.get(), IPPROTO_TCP, TCP_NODELAY);
  if (source) {
    set_flag(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
    const SocketAddress from = socket_address(Endpoint{*source, 0});
    if (::bind(fd.get(), from.raw(), from.bytes) != 0) {
      failed = errno;
      return {};
    }
  }
  if (::connect(fd.get(), address.raw(), address.bytes) != 0 && errno != EINPROGRESS) {
    failed = errno;
    return {};
  }
  return fd;
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace flare::lab
