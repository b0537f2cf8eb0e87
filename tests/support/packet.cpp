#include "support/packet.h"

#include <algorithm>
#include <cassert>
#include <cstdio>
#include <cstring>
#include <span>

namespace flare::test {
namespace {

void put8(Bytes& out, unsigned value) { out.push_back(static_cast<std::uint8_t>(value)); }
void put16(Bytes& out, unsigned value) {
  put8(out, value >> 8 & 0xff);
  put8(out, value & 0xff);
}
void put32(Bytes& out, std::uint32_t value) {
  put16(out, value >> 16);
  put16(out, value & 0xffff);
}
void put(Bytes& out, std::span<const std::uint8_t> bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}
void set16(Bytes& out, std::size_t at, unsigned value) {
  out[at] = static_cast<std::uint8_t>(value >> 8);
  out[at + 1] = static_cast<std::uint8_t>(value);
}

void put_mac(Bytes& out, const std::string& mac) {
  unsigned b[6];
  const int read =
      std::sscanf(mac.c_str(), "%x:%x:%x:%x:%x:%x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]);
  assert(read == 6);
  (void)read;
  for (unsigned byte : b) put8(out, byte);
}

std::span<const std::uint8_t> address_bytes(const Address& address) {
  const auto* raw = reinterpret_cast<const std::uint8_t*>(address.raw.word);
  return address.is_v4() ? std::span(raw + 12, 4) : std::span(raw, 16);
}

/// The Internet checksum (RFC 1071), straight from its definition.
std::uint16_t internet_checksum(std::span<const std::uint8_t> bytes, std::uint32_t sum = 0) {
  for (std::size_t i = 0; i < bytes.size(); ++i)
    sum += i % 2 == 0 ? static_cast<std::uint32_t>(bytes[i]) << 8 : bytes[i];
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

std::uint32_t pseudo_header_sum(const Packet& packet, std::uint8_t protocol, std::size_t length) {
  std::uint32_t sum = protocol + static_cast<std::uint32_t>(length);
  for (const Address* address : {&packet.src, &packet.dst}) {
    const auto bytes = address_bytes(*address);
    for (std::size_t i = 0; i < bytes.size(); i += 2)
      sum += static_cast<std::uint32_t>(bytes[i]) << 8 | bytes[i + 1];
  }
  return sum;
}

Bytes tcp_bytes(const Packet& p) {
  Bytes out;
  Bytes options = p.tcp_options;
  while (options.size() % 4 != 0) put8(options, 0);
  put16(out, p.sport);
  put16(out, p.dport);
  put32(out, p.seq);
  put32(out, p.ack);
  put8(out, static_cast<unsigned>(
                p.data_offset.value_or(static_cast<std::uint8_t>(5 + options.size() / 4)))
                << 4);
  put8(out, p.tcp_flags);
  put16(out, p.window);
  put16(out, 0);
  put16(out, 0);
  put(out, options);
  put(out, p.payload);
  set16(out, 16, p.checksum.value_or(internet_checksum(out, pseudo_header_sum(p, 6, out.size()))));
  return out;
}

Bytes udp_bytes(const Packet& p) {
  Bytes out;
  put16(out, p.sport);
  put16(out, p.dport);
  put16(out, p.udp_length.value_or(static_cast<std::uint16_t>(8 + p.payload.size())));
  put16(out, 0);
  put(out, p.payload);
  const std::uint16_t sum = internet_checksum(out, pseudo_header_sum(p, 17, out.size()));
  set16(out, 6, p.checksum.value_or(sum == 0 ? std::uint16_t{0xffff} : sum));
  return out;
}

Bytes icmp_bytes(const Packet& p) {
  Bytes out;
  put8(out, p.icmp_type);
  put8(out, p.icmp_code);
  put16(out, 0);
  put32(out, p.icmp_rest);
  put(out, p.payload);
  const std::uint32_t seed = p.protocol == 58 ? pseudo_header_sum(p, 58, out.size()) : 0;
  set16(out, 2, p.checksum.value_or(internet_checksum(out, seed)));
  return out;
}

Bytes transport_bytes(const Packet& p) {
  if (p.fragment_offset != 0) return p.payload;
  switch (p.protocol) {
    case 6:
      return tcp_bytes(p);
    case 17:
      return udp_bytes(p);
    case 1:
    case 58:
      return icmp_bytes(p);
    default:
      return p.payload;
  }
}

Bytes ipv4_bytes(const Packet& p, const Bytes& transport) {
  Bytes out;
  Bytes options = p.ip_options;
  while (options.size() % 4 != 0) put8(options, 0);
  const unsigned ihl = p.ihl != 0 ? p.ihl : static_cast<unsigned>(5 + options.size() / 4);
  put8(out, static_cast<unsigned>(p.ip_version != 0 ? p.ip_version : 4) << 4 | ihl);
  put8(out, 0);
  put16(out, p.total_length.value_or(
                 static_cast<std::uint16_t>(20 + options.size() + transport.size())));
  put16(out, p.id);
  put16(out, (p.dont_fragment ? 0x4000U : 0U) | (p.more_fragments ? 0x2000U : 0U) |
                 p.fragment_offset / 8U);
  put8(out, p.ttl);
  put8(out, p.protocol_field.value_or(p.protocol));
  put16(out, 0);
  put(out, address_bytes(p.src));
  put(out, address_bytes(p.dst));
  put(out, options);
  set16(out, 10, internet_checksum(out));
  put(out, transport);
  return out;
}

Bytes ipv6_bytes(const Packet& p, const Bytes& transport) {
  std::vector<Packet::Extension> chain = p.extensions;
  if (p.fragment_id) {
    Bytes body;
    put16(body, p.fragment_offset | (p.more_fragments ? 1U : 0U));
    put32(body, *p.fragment_id);
    chain.push_back({44, body});
  }
  Bytes extensions;
  for (std::size_t i = 0; i < chain.size(); ++i) {
    Bytes body = chain[i].body;
    while ((body.size() + 2) % 8 != 0) put8(body, 0);
    put8(extensions,
         i + 1 < chain.size() ? chain[i + 1].type : p.protocol_field.value_or(p.protocol));
    put8(extensions, chain[i].type == 44 ? 0 : static_cast<unsigned>((body.size() + 2) / 8 - 1));
    put(extensions, body);
  }
  Bytes out;
  put32(out, static_cast<std::uint32_t>(p.ip_version != 0 ? p.ip_version : 6) << 28);
  put16(out,
        p.total_length.value_or(static_cast<std::uint16_t>(extensions.size() + transport.size())));
  put8(out, chain.empty() ? p.protocol_field.value_or(p.protocol) : chain.front().type);
  put8(out, p.ttl);
  put(out, address_bytes(p.src));
  put(out, address_bytes(p.dst));
  put(out, extensions);
  put(out, transport);
  return out;
}

Endpoint endpoint(std::string_view text) {
  const auto parsed = Endpoint::parse(text);
  assert(parsed);
  return *parsed;
}

Packet between(std::string_view src, std::string_view dst, std::uint8_t protocol) {
  Packet packet;
  packet.src = endpoint(src).address;
  packet.dst = endpoint(dst).address;
  packet.sport = endpoint(src).port;
  packet.dport = endpoint(dst).port;
  packet.protocol = protocol;
  return packet;
}

}  // namespace

Bytes Packet::ip_bytes(std::size_t limit) const {
  const Bytes transport = transport_bytes(*this);
  Bytes out = is_v4() ? ipv4_bytes(*this, transport) : ipv6_bytes(*this, transport);
  out.resize(std::min(limit, out.size()));
  return out;
}

Bytes Packet::bytes() const {
  Bytes out;
  put_mac(out, dst_mac);
  put_mac(out, src_mac);
  for (std::size_t i = 0; i < vlan_tags.size(); ++i) {
    put16(out, i == 0 ? outer_tag_type : 0x8100U);
    put16(out, vlan_tags[i]);
  }
  put16(out, ether_type.value_or(is_v4() ? std::uint16_t{0x0800} : std::uint16_t{0x86dd}));
  put(out, ip_bytes());
  out.insert(out.end(), frame_padding, 0);
  return out;
}

Packet tcp(std::string_view src, std::string_view dst, std::uint8_t flags) {
  Packet packet = between(src, dst, 6);
  packet.tcp_flags = flags;
  return packet;
}

Packet udp(std::string_view src, std::string_view dst, std::string_view payload) {
  Packet packet = between(src, dst, 17);
  packet.payload = to_bytes(payload);
  return packet;
}

Packet icmp_error(std::string_view src, std::string_view dst, std::uint8_t type, std::uint8_t code,
                  std::uint32_t rest, const Bytes& quote) {
  Packet packet;
  packet.src = *Address::parse(src);
  packet.dst = *Address::parse(dst);
  packet.protocol = packet.is_v4() ? 1 : 58;
  packet.icmp_type = type;
  packet.icmp_code = code;
  packet.icmp_rest = rest;
  packet.payload = quote;
  return packet;
}

Bytes to_bytes(std::string_view text) { return Bytes(text.begin(), text.end()); }

std::string hex_dump(const Bytes& bytes) {
  std::string out;
  char buffer[32];
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i % 16 == 0) {
      std::snprintf(buffer, sizeof buffer, "%s%4zu:", i == 0 ? "" : "\n", i);
      out += buffer;
    }
    std::snprintf(buffer, sizeof buffer, " %02x", bytes[i]);
    out += buffer;
  }
  return out;
}

}  // namespace flare::test
