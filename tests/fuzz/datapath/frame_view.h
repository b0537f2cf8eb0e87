// A second reading of a frame, by the RFCs and not by bpf/parse.bpf.h: what the rules judge by.
// Where the two could differ in good faith (options, chains of headers) it says less.
#pragma once

#include <cstdint>
#include <optional>

#include "flare/abi.h"
#include "shim/host.h"

namespace flare::fuzz {

struct FrameView {
  enum class Kind { kNone, kTransport, kLaterFragment, kIcmpError };

  Kind kind = Kind::kNone;  ///< kNone: nothing that could belong to a flow
  bool v6 = false;
  bool plain = false;  ///< no IP options, no extension headers, no fragment
  bool first_fragment = false;
  bool unicast = false;                 ///< by its destination's link address
  unsigned tags = 0;                    ///< of VLANs, in the frame
  std::size_t l3 = 0, l4 = 0, end = 0;  ///< offsets; `end` of the IP packet
  std::uint8_t proto = 0, ttl = 0;
  flare_flow_key key{};        ///< kTransport: as it is; kIcmpError: of the quote, turned round
  flare_fragment_key piece{};  ///< of a fragment
  std::uint8_t tcp_flags = 0, tcp_header = 0;
  std::uint32_t seq = 0, ack = 0;

  /// Bytes of a TCP segment or a datagram behind its header.
  std::size_t payload_at() const { return l4 + (proto == 6 ? tcp_header : 8U); }

  /// `gso`: the frame stands for several, so that a length of 0 means all of it (BIG TCP).
  static FrameView of(const Frame& frame, bool gso = false);
};

/// The ones' complement sum over [from, to), folded; an odd last byte counts as followed by 0.
std::uint32_t ones_sum(const Frame& frame, std::size_t from, std::size_t to, std::uint32_t sum = 0);
/// Sum of the IPv4 header: 0xffff where its checksum is right.
std::uint32_t header_sum(const Frame& frame, const FrameView& view);
/// Sum of pseudo-header and transport (or ICMP) bytes, 0 and 0xffff being the same: 0 where the
/// checksum is right.
std::uint32_t transport_sum(const Frame& frame, const FrameView& view);
/// As transport_sum(), where the checksum covers the pseudo-header alone.
std::uint32_t partial_sum(const Frame& frame, const FrameView& view);
/// Whether there is a transport checksum at all.
bool has_checksum(const Frame& frame, const FrameView& view);
flare_flow_key turned_round(const flare_flow_key& key);

}  // namespace flare::fuzz
