#include "host/host_addresses.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

namespace flare {
namespace {

std::optional<Address> address_of(const sockaddr* socket) {
  Address address;
  if (socket == nullptr) return std::nullopt;
  if (socket->sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, socket, sizeof(v4));
    address.raw.word[2] = htonl(0x0000ffffU);
    address.raw.word[3] = v4.sin_addr.s_addr;
    return address;
  }
  if (socket->sa_family != AF_INET6) return std::nullopt;
  sockaddr_in6 v6{};
  std::memcpy(&v6, socket, sizeof(v6));
  std::memcpy(address.raw.word, &v6.sin6_addr, sizeof(address.raw.word));
  return address;
}

}  // namespace

Result<std::set<Address>> read_host_addresses() {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) {
    return Error::from_errno("cannot read this host's addresses", errno);
  }
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> list(first, ::freeifaddrs);
  std::set<Address> addresses;
  for (const ifaddrs* one = first; one != nullptr; one = one->ifa_next) {
    if (const auto address = address_of(one->ifa_addr)) addresses.insert(*address);
  }
  return addresses;
}

}  // namespace flare
