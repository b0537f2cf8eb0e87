#include "scene.h"

#include <utility>

namespace flare::test {

Bytes zero_sum_payload(Packet packet) {
  packet.payload = {0, 0};
  const Bytes bytes = packet.ip_bytes();
  const std::size_t check = (packet.is_v4() ? 20U : 40U) + 6;
  return {bytes[check], bytes[check + 1]};
}

std::string Scene::backend_ip() const {
  switch (path) {
    case Path::kSmallMtu:
      return v4() ? "203.0.113.64" : "2001:db8:5:64::1";
    case Path::kUnknownNeighbour:
      return v4() ? "203.0.113.80" : "2001:db8:5:80::1";
    case Path::kNoRoute:
      return v4() ? "203.0.113.96" : "2001:db8:5:96::1";
    case Path::kOtherDevice:
      return v4() ? "203.0.113.112" : "2001:db8:5:112::1";
    case Path::kPlain:
      break;
  }
  return v4() ? "203.0.113.10" : "2001:db8:5::10";
}

std::string Scene::at(const std::string& ip, std::uint16_t port) const {
  return (v4() ? ip : "[" + ip + "]") + ":" + std::to_string(port);
}

std::string Scene::frontend(Protocol protocol) const {
  return at(host_ip(), protocol == Protocol::kTcp ? 80 : 53);
}

std::string Scene::backend(Protocol protocol) const {
  return at(backend_ip(), protocol == Protocol::kTcp ? 8080 : 5353);
}

Packet Scene::segment(std::uint8_t flags) const { return tcp(client(), frontend(), flags); }

Packet Scene::datagram(std::string_view payload) const {
  return udp(client(), frontend(Protocol::kUdp), payload);
}

Packet Scene::reply_segment(std::uint8_t flags) const { return tcp(backend(), nat(), flags); }

Packet Scene::reply_datagram(std::string_view payload) const {
  return udp(backend(Protocol::kUdp), nat(), payload);
}

Packet Scene::first_fragment(Packet packet, std::uint32_t id) {
  packet.dont_fragment = false;
  packet.more_fragments = true;
  packet.id = static_cast<std::uint16_t>(id);
  if (!packet.is_v4()) packet.fragment_id = id;
  return packet;
}

Packet Scene::later_fragment(Packet first, std::uint16_t offset, std::size_t bytes) {
  first.fragment_offset = offset;
  first.more_fragments = false;
  first.payload = Bytes(bytes, 'f');
  return first;
}

Packet Scene::sent_on(Packet packet, const std::string& src, const std::string& dst) const {
  const auto from = *Endpoint::parse(src), to = *Endpoint::parse(dst);
  packet.src = from.address;
  packet.sport = from.port;
  packet.dst = to.address;
  packet.dport = to.port;
  packet.ttl = static_cast<std::uint8_t>(packet.ttl - 1);
  packet.src_mac = DatapathTest::kHostMac;
  packet.dst_mac = DatapathTest::kGatewayMac;
  return packet;
}

Packet Scene::to_backend(Packet packet) const {
  const auto protocol = static_cast<Protocol>(packet.protocol);
  const Packet arrived = packet;
  packet = sent_on(std::move(packet), nat(), backend(protocol));
  if (path == Path::kOtherDevice) {
    packet.src_mac = DatapathTest::kSideMac;
    packet.dst_mac = DatapathTest::kSideNeighbourMac;
  } else if (path == Path::kUnknownNeighbour) {  // the kernel writes them once it knows
    packet.src_mac = arrived.src_mac;
    packet.dst_mac = arrived.dst_mac;
  }
  return packet;
}

Packet Scene::to_client(Packet packet) const {
  const auto protocol = static_cast<Protocol>(packet.protocol);
  return sent_on(std::move(packet), frontend(protocol), client());
}

Packet Scene::icmp_answer(const Packet& packet, std::uint8_t v4_type, std::uint8_t v4_code,
                          std::uint8_t v6_type, std::uint8_t v6_code, std::uint16_t mtu) const {
  const std::size_t quoted = (v4() ? 20U : 40U) + (packet.protocol == 6 ? 20U : 8U);
  Packet answer = icmp_error(packet.dst.text(), packet.src.text(), v4() ? v4_type : v6_type,
                             v4() ? v4_code : v6_code, mtu, packet.ip_bytes(quoted));
  answer.src_mac = packet.dst_mac;
  answer.dst_mac = packet.src_mac;
  answer.id = 0;
  answer.dont_fragment = false;
  return answer;
}

Packet Scene::reset(const Packet& packet) const {
  Packet answer = packet;
  const bool acknowledges = (packet.tcp_flags & TcpFlags::kAck) != 0;
  const std::uint32_t takes = static_cast<std::uint32_t>(packet.payload.size()) +
                              ((packet.tcp_flags & TcpFlags::kSyn) != 0 ? 1U : 0U) +
                              ((packet.tcp_flags & TcpFlags::kFin) != 0 ? 1U : 0U);
  std::swap(answer.src, answer.dst);
  std::swap(answer.sport, answer.dport);
  std::swap(answer.src_mac, answer.dst_mac);
  answer.ttl = 64;
  answer.seq = acknowledges ? packet.ack : 0;
  answer.ack = acknowledges ? 0 : packet.seq + takes;
  answer.tcp_flags = acknowledges ? TcpFlags::kRst : TcpFlags::kRst | TcpFlags::kAck;
  answer.window = 0;
  answer.tcp_options.clear();
  answer.payload.clear();
  answer.frame_padding = 0;
  return answer;
}

Packet Scene::error_about(const Packet& quoted, std::size_t limit) const {
  return icmp_error(router_ip(), quoted.src.text(), v4() ? 3 : 2, v4() ? 4 : 0, kSmallMtu,
                    quoted.ip_bytes(limit));
}

Packet Scene::error_for_client(const Packet& original, std::size_t limit) const {
  Packet inside = original;
  inside.ttl = static_cast<std::uint8_t>(inside.ttl - 1);
  Packet error = icmp_error(host_ip(), client_ip(), v4() ? 3 : 2, v4() ? 4 : 0, kSmallMtu,
                            inside.ip_bytes(limit));
  error.ttl = 63;
  error.src_mac = DatapathTest::kHostMac;
  error.dst_mac = DatapathTest::kGatewayMac;
  return error;
}

}  // namespace flare::test
