#include "e2e/peers.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <stdexcept>
#include <vector>

#include "e2e/lab.h"

namespace flare::test {
namespace {

using Clock = std::chrono::steady_clock;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

SocketAddress socket_address(const std::string& text) {
  const auto endpoint = Endpoint::parse(text);
  if (!endpoint) throw std::runtime_error("not an endpoint: " + text);
  SocketAddress out;
  if (endpoint->address.is_v4()) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&out.storage);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(endpoint->port);
    std::memcpy(&v4->sin_addr, &endpoint->address.raw.word[3], 4);
    out.length = sizeof *v4;
  } else {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&out.storage);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(endpoint->port);
    std::memcpy(&v6->sin6_addr, endpoint->address.raw.word, 16);
    out.length = sizeof *v6;
  }
  return out;
}

UniqueFd new_socket(const SocketAddress& address, Protocol protocol) {
  const int type = protocol == Protocol::kTcp ? SOCK_STREAM : SOCK_DGRAM;
  UniqueFd socket(::socket(address.storage.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) throw std::runtime_error("cannot make a socket");
  return socket;
}

/// Gives a UDP socket a source port that none before it had. Of those that the kernel picks at
/// random, every twelfth run of a hundred repeats one, and the datapath then rightly knows its
/// flow.
void bind_to_fresh_port(const UniqueFd& socket, int family) {
  static std::atomic<std::uint16_t> next = 0;
  const auto port = static_cast<in_port_t>(20000 + next++ % 40000);
  SocketAddress any{};
  any.storage.ss_family = static_cast<sa_family_t>(family);
  any.length = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  if (family == AF_INET)
    reinterpret_cast<sockaddr_in&>(any.storage).sin_port = htons(port);
  else
    reinterpret_cast<sockaddr_in6&>(any.storage).sin6_port = htons(port);
  if (::bind(socket.get(), any.get(), any.length) != 0)
    throw std::runtime_error("cannot bind UDP port " + std::to_string(port));
}

/// Waits for `events` until `end`; false where the time is over.
bool wait_until(int fd, short events, Clock::time_point end) {
  pollfd item{.fd = fd, .events = events, .revents = 0};
  while (Clock::now() < end) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
    const int ready = ::poll(&item, 1, static_cast<int>(left.count()) + 1);
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
  return false;
}

Clock::time_point after(double seconds) {
  return Clock::now() +
         std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

/// A bound socket in a namespace; a TCP one listens.
UniqueFd bound_socket(const std::string& network_namespace, const std::string& endpoint,
                      Protocol protocol) {
  const NamespaceScope scope(network_namespace);
  const SocketAddress address = socket_address(endpoint);
  UniqueFd made = new_socket(address, protocol);
  const int on = 1;
  ::setsockopt(made.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(made.get(), address.get(), address.length) != 0)
    throw std::runtime_error("cannot bind " + endpoint + ": " + std::strerror(errno));
  if (protocol == Protocol::kTcp && ::listen(made.get(), 4096) != 0)
    throw std::runtime_error("cannot listen on " + endpoint);
  return made;
}

}  // namespace

UniqueFd silent_server(const std::string& network_namespace, const std::string& endpoint) {
  return bound_socket(network_namespace, endpoint, Protocol::kTcp);
}

UniqueFd udp_server(const std::string& network_namespace, const std::string& endpoint) {
  return bound_socket(network_namespace, endpoint, Protocol::kUdp);
}

EchoServer::EchoServer(const std::string& network_namespace, const std::string& endpoint,
                       Protocol protocol, char tag)
    : socket_(bound_socket(network_namespace, endpoint, protocol)),
      stop_(::eventfd(0, EFD_CLOEXEC)),
      tag_(tag) {
  thread_ =
      std::thread([this, protocol] { protocol == Protocol::kTcp ? serve_tcp() : serve_udp(); });
}

EchoServer::~EchoServer() {
  const std::uint64_t one = 1;
  (void)!::write(stop_.get(), &one, sizeof one);
  thread_.join();
}

void EchoServer::serve_tcp() {
  struct Connection {
    UniqueFd fd;
    std::vector<char> unsent;
  };
  std::map<int, Connection> connections;
  const UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  const auto watch = [&epoll](int fd, std::uint32_t events, int op) {
    epoll_event event{.events = events, .data = {.fd = fd}};
    ::epoll_ctl(epoll.get(), op, fd, &event);
  };
  watch(socket_.get(), EPOLLIN, EPOLL_CTL_ADD);
  watch(stop_.get(), EPOLLIN, EPOLL_CTL_ADD);
  const auto flush = [&](Connection& c) {
    while (!c.unsent.empty()) {
      const ssize_t sent = ::send(c.fd.get(), c.unsent.data(), c.unsent.size(), MSG_NOSIGNAL);
      if (sent <= 0) break;
      c.unsent.erase(c.unsent.begin(), c.unsent.begin() + sent);
    }
    watch(c.fd.get(), c.unsent.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
  };
  std::array<epoll_event, 64> events;
  std::array<char, 65536> buffer;
  while (true) {
    const int ready = ::epoll_wait(epoll.get(), events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < ready; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == stop_.get()) return;
      if (fd == socket_.get()) {
        while (true) {
          UniqueFd accepted(::accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
          if (!accepted) break;
          const int key = accepted.get();
          watch(key, EPOLLIN, EPOLL_CTL_ADD);
          auto& c = connections[key];
          c = {std::move(accepted), {tag_}};
          flush(c);
        }
        open_ = connections.size();
        continue;
      }
      Connection& c = connections[fd];
      bool closed = false;
      while (c.unsent.size() < 4 * buffer.size()) {
        const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
        if (got > 0) {
          c.unsent.insert(c.unsent.end(), buffer.data(), buffer.data() + got);
          bytes_ += static_cast<std::uint64_t>(got);
          continue;
        }
        closed = got == 0 || errno != EAGAIN;
        break;
      }
      flush(c);
      if (closed) {
        // A child between fork and exec keeps the socket open, and epoll would go on to tell of it
        // by a number that is another socket's by then.
        watch(fd, 0, EPOLL_CTL_DEL);
        connections.erase(fd);
      }
      open_ = connections.size();
    }
  }
}

void EchoServer::serve_udp() {
  std::array<char, 65536> buffer;
  pollfd items[] = {{.fd = socket_.get(), .events = POLLIN, .revents = 0},
                    {.fd = stop_.get(), .events = POLLIN, .revents = 0}};
  while (true) {
    ::poll(items, 2, -1);
    if (items[1].revents != 0) return;
    sockaddr_storage from{};
    socklen_t length = sizeof from;
    buffer[0] = tag_;
    const ssize_t got = ::recvfrom(socket_.get(), buffer.data() + 1, buffer.size() - 1, 0,
                                   reinterpret_cast<sockaddr*>(&from), &length);
    if (got < 0) continue;
    bytes_ += static_cast<std::uint64_t>(got);
    ::sendto(socket_.get(), buffer.data(), static_cast<std::size_t>(got) + 1, 0,
             reinterpret_cast<sockaddr*>(&from), length);
  }
}

std::optional<UniqueFd> connect_from(const std::string& network_namespace,
                                     const std::string& endpoint, Protocol protocol,
                                     double seconds) {
  const NamespaceScope scope(network_namespace);
  const SocketAddress address = socket_address(endpoint);
  UniqueFd socket = new_socket(address, protocol);
  if (protocol == Protocol::kUdp) bind_to_fresh_port(socket, address.storage.ss_family);
  if (::connect(socket.get(), address.get(), address.length) == 0) return socket;
  if (errno != EINPROGRESS || !wait_until(socket.get(), POLLOUT, after(seconds))) return {};
  int error = 0;
  socklen_t length = sizeof error;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) return {};
  return socket;
}

UniqueFd dial_echo(const std::string& network_namespace, const std::string& endpoint, char tag) {
  auto socket = connect_from(network_namespace, endpoint, Protocol::kTcp);
  EXPECT_TRUE(socket) << "cannot connect to " << endpoint;
  if (!socket) return {};
  const timeval patience{5, 0};
  EXPECT_EQ(::fcntl(socket->get(), F_SETFL, 0), 0) << "blocking";
  EXPECT_EQ(::setsockopt(socket->get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
  char greeting = 0;
  EXPECT_EQ(::recv(socket->get(), &greeting, 1, 0), 1);
  EXPECT_EQ(greeting, tag);
  return *std::move(socket);
}

char who_answers(const std::string& network_namespace, const std::string& endpoint,
                 Protocol protocol, double seconds) {
  const auto socket = connect_from(network_namespace, endpoint, protocol, seconds);
  if (!socket) return '-';
  if (protocol == Protocol::kUdp && ::send(socket->get(), "?", 1, 0) != 1) return '-';
  char tag = '-';
  if (!wait_until(socket->get(), POLLIN, after(seconds)) || ::recv(socket->get(), &tag, 1, 0) != 1)
    return '-';
  return tag;
}

bool echoes_datagram(const std::string& network_namespace, const std::string& endpoint,
                     std::size_t bytes, double seconds) {
  const auto socket = connect_from(network_namespace, endpoint, Protocol::kUdp, seconds);
  if (!socket) return false;
  std::vector<char> out(bytes), in(bytes + 2);
  for (std::size_t i = 0; i < bytes; ++i) out[i] = static_cast<char>(i * 131 + (i >> 11));
  if (::send(socket->get(), out.data(), bytes, 0) != static_cast<ssize_t>(bytes)) return false;
  if (!wait_until(socket->get(), POLLIN, after(seconds))) return false;
  return ::recv(socket->get(), in.data(), in.size(), 0) == static_cast<ssize_t>(bytes + 1) &&
         std::equal(out.begin(), out.end(), in.begin() + 1);
}

bool transfer(const std::string& network_namespace, const std::string& endpoint, std::size_t bytes,
              double seconds, std::string* why) {
  const auto socket = connect_from(network_namespace, endpoint, Protocol::kTcp);
  if (!socket) {
    *why = "no connection";
    return false;
  }
  const auto pattern = [](std::size_t i) { return static_cast<char>(i * 131 + (i >> 11)); };
  const auto end = after(seconds);
  std::size_t sent = 0, received = 0;
  bool greeted = false;
  std::vector<char> out(65536), in(65536);
  while (received < bytes) {
    const bool more = sent < bytes;
    if (!wait_until(socket->get(), static_cast<short>(more ? POLLIN | POLLOUT : POLLIN), end)) {
      *why = "stalled after " + std::to_string(sent) + " sent and " + std::to_string(received) +
             " received of " + std::to_string(bytes);
      return false;
    }
    if (more) {
      const std::size_t n = std::min(out.size(), bytes - sent);
      for (std::size_t i = 0; i < n; ++i) out[i] = pattern(sent + i);
      const ssize_t wrote = ::send(socket->get(), out.data(), n, MSG_NOSIGNAL);
      if (wrote > 0) sent += static_cast<std::size_t>(wrote);
    }
    const ssize_t got = ::recv(socket->get(), in.data(), in.size(), 0);
    if (got == 0 || (got < 0 && errno != EAGAIN)) {
      *why = got == 0 ? "closed early" : std::strerror(errno);
      return false;
    }
    for (ssize_t i = 0; i < got; ++i) {
      if (!greeted) {
        greeted = true;
        continue;
      }
      if (in[static_cast<std::size_t>(i)] != pattern(received)) {
        *why = "byte " + std::to_string(received) + " differs";
        return false;
      }
      ++received;
    }
  }
  return true;
}

}  // namespace flare::test
