// Packets built by layers, for tests: `Ethernet() / Ip(...) / Tcp(...) / payload`. Lengths and
// checksums are computed from scratch when the bytes are asked for, unless a test sets them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/address.h"

namespace flare::test {

using Bytes = std::vector<std::uint8_t>;

struct TcpFlags {
  static constexpr std::uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kPsh = 0x08, kAck = 0x10,
                                kUrg = 0x20;
};

/// One frame. Every field is what a sender would write; `std::nullopt` means "the right value".
struct Packet {
  // Ethernet
  std::string dst_mac = "02:00:00:00:00:01";
  std::string src_mac = "02:00:00:00:00:02";
  std::vector<std::uint16_t> vlan_tags;  ///< VLAN ids, outermost first
  std::uint16_t outer_tag_type = 0x8100;
  std::optional<std::uint16_t> ether_type;

  // IP: the family is that of `src`
  Address src, dst;
  std::uint8_t ttl = 64;
  std::uint8_t ip_version = 0;  ///< 0: by family
  std::uint8_t ihl = 0;         ///< 32-bit words; 0: by the options
  Bytes ip_options;             ///< IPv4
  bool dont_fragment = true;    ///< IPv4
  std::uint16_t id = 0x1234;
  std::optional<std::uint32_t> fragment_id;  ///< IPv6: adds a fragment header
  std::uint16_t fragment_offset = 0;         ///< bytes
  bool more_fragments = false;
  struct Extension {
    std::uint8_t type;
    Bytes body;  ///< from the third byte on; padded to 8 bytes
  };
  std::vector<Extension> extensions;  ///< IPv6
  std::optional<std::uint16_t> total_length;
  std::optional<std::uint8_t> protocol_field;

  // Transport
  std::uint8_t protocol = 6;  ///< 6, 17, 1 or 58; anything else: payload follows the IP header
  std::uint16_t sport = 0, dport = 0;
  std::uint32_t seq = 1000, ack = 0;
  std::uint8_t tcp_flags = TcpFlags::kSyn;
  std::uint16_t window = 64240;
  Bytes tcp_options;  ///< padded to 4 bytes
  std::optional<std::uint8_t> data_offset;
  std::optional<std::uint16_t> udp_length;
  std::optional<std::uint16_t> checksum;  ///< of the transport header
  std::uint8_t icmp_type = 0, icmp_code = 0;
  std::uint32_t icmp_rest = 0;
  Bytes payload;
  std::size_t frame_padding = 0;  ///< zero bytes after the IP packet

  bool is_v4() const { return src.is_v4(); }
  /// The frame, with the padding.
  Bytes bytes() const;
  /// The IP packet alone, as an ICMP error quotes it, cut to `limit` bytes.
  Bytes ip_bytes(std::size_t limit = SIZE_MAX) const;
};

/// A TCP segment between two endpoints, flags as given.
Packet tcp(std::string_view src, std::string_view dst, std::uint8_t flags = TcpFlags::kSyn);
/// A UDP datagram between two endpoints.
Packet udp(std::string_view src, std::string_view dst, std::string_view payload = "hello");
/// An ICMP error from `src` to `dst` that quotes `quote`, cut to `limit` bytes.
Packet icmp_error(std::string_view src, std::string_view dst, std::uint8_t type, std::uint8_t code,
                  std::uint32_t rest, const Bytes& quote);

Bytes to_bytes(std::string_view text);
/// "offset 14: 45 00 ..." lines, for messages.
std::string hex_dump(const Bytes& bytes);

}  // namespace flare::test
