// Who talks to whom in the fixtures, and what a right translation or answer of their packets is.
// The expected frames are built by layers, as a sender with those addresses would have done.
#pragma once

#include <cstdint>
#include <string>

#include "support/datapath_fixture.h"

namespace flare::test {

/// Where the serverless backend is; datapath_fixture.cpp builds a route for each.
enum class Path { kPlain, kSmallMtu, kUnknownNeighbour, kNoRoute, kOtherDevice };

constexpr std::uint16_t kSmallMtu = 1280;

/// One client (port 40000), the frontends (TCP 80, UDP 53) and their backends (8080, 5353).
struct Scene {
  Family family = Family::kV4;
  Path path = Path::kPlain;
  std::string nat_ip;  ///< of the flow that was spilled; empty: none was
  std::uint16_t nat_port = 0;

  bool v4() const { return family == Family::kV4; }
  std::string host_ip() const { return v4() ? "192.0.2.1" : "2001:db8::1"; }
  std::string other_nat_ip() const { return v4() ? "192.0.2.2" : "2001:db8::2"; }
  std::string client_ip() const { return v4() ? "198.51.100.7" : "2001:db8:c::7"; }
  std::string stranger_ip() const { return v4() ? "198.51.100.99" : "2001:db8:c::99"; }
  std::string router_ip() const { return v4() ? "203.0.113.254" : "2001:db8:5::fe"; }
  std::string backend_ip() const;
  /// "192.0.2.1:80" or "[2001:db8::1]:80".
  std::string at(const std::string& ip, std::uint16_t port) const;
  std::string frontend(Protocol protocol = Protocol::kTcp) const;
  std::string client(std::uint16_t port = 40000) const { return at(client_ip(), port); }
  std::string backend(Protocol protocol = Protocol::kTcp) const;
  std::string nat() const { return at(nat_ip, nat_port); }

  // Packets as they arrive.
  Packet segment(std::uint8_t flags = TcpFlags::kSyn) const;  ///< client to frontend
  Packet datagram(std::string_view payload = "hello") const;
  Packet reply_segment(std::uint8_t flags = TcpFlags::kAck) const;  ///< backend to NAT address
  Packet reply_datagram(std::string_view payload = "world") const;
  /// A later fragment (payload only) of what `first` began.
  static Packet later_fragment(Packet first, std::uint16_t offset, std::size_t bytes);
  /// As the first fragment of a larger packet.
  static Packet first_fragment(Packet packet, std::uint32_t id = 77);

  // Packets as they must leave.
  Packet to_backend(Packet packet) const;
  Packet to_client(Packet packet) const;
  /// `packet` with other addresses and ports, a hop less to live and the next hop's link addresses.
  Packet sent_on(Packet packet, const std::string& src, const std::string& dst) const;

  // Answers to `packet`, as they must leave.
  /// The ICMP error, quoting the IP header and 20 bytes of TCP or 8 of UDP.
  Packet icmp_answer(const Packet& packet, std::uint8_t v4_type, std::uint8_t v4_code,
                     std::uint8_t v6_type, std::uint8_t v6_code, std::uint16_t mtu = 0) const;
  Packet port_unreachable(const Packet& packet) const { return icmp_answer(packet, 3, 3, 1, 4); }
  Packet time_exceeded(const Packet& packet) const { return icmp_answer(packet, 11, 0, 3, 0); }
  Packet too_big(const Packet& packet) const { return icmp_answer(packet, 3, 4, 2, 0, kSmallMtu); }
  /// The reset of RFC 9293, 3.10.7.1.
  Packet reset(const Packet& packet) const;

  // ICMP errors about what we sent on, from a router near the backend, quoting `quoted` as it left.
  Packet error_about(const Packet& quoted, std::size_t limit = 200) const;
  /// ... and as it must reach the client; `original` is what the client had sent, one hop aged.
  Packet error_for_client(const Packet& original, std::size_t limit = 200) const;
};

/// Two bytes of payload that make the UDP checksum of `packet`, computed, 0.
Bytes zero_sum_payload(Packet packet);

}  // namespace flare::test
