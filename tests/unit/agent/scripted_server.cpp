#include "scripted_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace flare::test {
namespace {

using SocketAddress = std::pair<sockaddr_storage, socklen_t>;

SocketAddress to_socket_address(const Endpoint& endpoint) {
  SocketAddress made{};
  if (endpoint.address.is_v4()) {
    auto& in = reinterpret_cast<sockaddr_in&>(made.first);
    in.sin_family = AF_INET;
    in.sin_port = htons(endpoint.port);
    in.sin_addr.s_addr = endpoint.address.raw.word[3];
    made.second = sizeof(in);
  } else {
    auto& in = reinterpret_cast<sockaddr_in6&>(made.first);
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(endpoint.port);
    std::memcpy(&in.sin6_addr, &endpoint.address.raw, sizeof(in.sin6_addr));
    made.second = sizeof(in);
  }
  return made;
}

[[noreturn]] void fail(const char* what) {
  throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

}  // namespace

ScriptedServer::ScriptedServer(const std::string& address, Script script, int backlog)
    : script_(std::move(script)) {
  endpoint_.address = Address::parse(address).value();
  auto [name, size] = to_socket_address(endpoint_);
  fd_ = UniqueFd(::socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  auto* generic = reinterpret_cast<sockaddr*>(&name);
  if (!fd_ || ::bind(fd_.get(), generic, size) != 0 || ::listen(fd_.get(), backlog) != 0 ||
      ::getsockname(fd_.get(), generic, &size) != 0) {
    fail("cannot listen");
  }
  endpoint_.port =
      ntohs(name.ss_family == AF_INET ? reinterpret_cast<sockaddr_in&>(name).sin_port
                                      : reinterpret_cast<sockaddr_in6&>(name).sin6_port);
  if (script_) thread_ = std::thread([this] { serve(); });
}

ScriptedServer::~ScriptedServer() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

void ScriptedServer::serve() {
  while (!stopping_) {
    pollfd wait{fd_.get(), POLLIN, 0};
    if (::poll(&wait, 1, 20) <= 0) continue;
    const UniqueFd client(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (client) script_(*this, client.get());
  }
}

void ScriptedServer::read_head(int fd) {
  std::string head;
  std::array<char, 4096> buffer;
  while (head.find("\r\n\r\n") == std::string::npos) {
    const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (got <= 0) break;
    head.append(buffer.data(), static_cast<std::size_t>(got));
  }
  const std::lock_guard lock(mutex_);
  heads_.push_back(head);
}

void ScriptedServer::send(int fd, const std::string& text) {
  static_cast<void>(::send(fd, text.data(), text.size(), MSG_NOSIGNAL));
}

int ScriptedServer::wait_for_end(int fd) {
  std::array<char, 4096> buffer;
  ssize_t got = 0;
  do {
    got = ::recv(fd, buffer.data(), buffer.size(), 0);
  } while (got > 0);
  return got == 0 ? 0 : errno;
}

std::vector<std::string> ScriptedServer::heads() const {
  const std::lock_guard lock(mutex_);
  return heads_;
}

ScriptedServer::Script answers(std::string text) {
  return [text = std::move(text)](ScriptedServer& server, int fd) {
    server.read_head(fd);
    server.send(fd, text);
  };
}

/// A queue of length 0 holds one connection; the kernel drops further SYNs.
BlackHole::BlackHole() : server_("127.0.0.1", {}, 0) {
  auto [name, size] = to_socket_address(server_.endpoint());
  for (int i = 0; i < 3; ++i) {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int done = ::connect(fd.get(), reinterpret_cast<sockaddr*>(&name), size);
    if (done != 0 && errno != EINPROGRESS) fail("cannot fill the queue");
    queued_.push_back(std::move(fd));
  }
}

}  // namespace flare::test
