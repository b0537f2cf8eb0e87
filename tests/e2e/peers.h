// The two ends of the lab's traffic: servers that say which tier they are, and clients that ask.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "base/unique_fd.h"
#include "model/address.h"

namespace flare::test {

/// Sends everything back. TCP: a new connection is greeted with the tag (one byte) first. UDP: each
/// datagram comes back with the tag in front.
class EchoServer {
 public:
  EchoServer(const std::string& network_namespace, const std::string& endpoint, Protocol protocol,
             char tag);
  ~EchoServer();
  EchoServer(const EchoServer&) = delete;
  EchoServer& operator=(const EchoServer&) = delete;

  std::uint64_t bytes_received() const { return bytes_; }
  /// TCP connections that it holds.
  std::size_t open_connections() const { return open_; }

 private:
  void serve_tcp();
  void serve_udp();

  UniqueFd socket_;
  UniqueFd stop_;
  char tag_;
  std::atomic<std::uint64_t> bytes_ = 0;
  std::atomic<std::size_t> open_ = 0;
  std::thread thread_;
};

/// A listening TCP socket on which nobody answers: the kernel completes handshakes, and that is
/// all.
UniqueFd silent_server(const std::string& network_namespace, const std::string& endpoint);

/// A bound UDP socket that somebody else reads.
UniqueFd udp_server(const std::string& network_namespace, const std::string& endpoint);

/// A connected socket in a namespace, or nullopt where it could not connect within `seconds`.
std::optional<UniqueFd> connect_from(const std::string& network_namespace,
                                     const std::string& endpoint, Protocol protocol,
                                     double seconds = 5);

/// A blocking TCP connection to an echo server, which must have greeted it with `tag`. It gives up
/// a receive after 5 s. Empty, and a failed expectation, where it could not connect.
UniqueFd dial_echo(const std::string& network_namespace, const std::string& endpoint, char tag);

/// The tag of whoever answers a new connection (TCP) or a datagram (UDP); '-' for nobody.
char who_answers(const std::string& network_namespace, const std::string& endpoint,
                 Protocol protocol, double seconds = 5);

/// Whether a datagram of `bytes` comes back as it was, behind the server's tag.
bool echoes_datagram(const std::string& network_namespace, const std::string& endpoint,
                     std::size_t bytes, double seconds = 5);

/// Sends `bytes` of a pattern through one TCP connection while reading it back. True when all came
/// back unchanged within `seconds`.
bool transfer(const std::string& network_namespace, const std::string& endpoint, std::size_t bytes,
              double seconds, std::string* why);

}  // namespace flare::test
