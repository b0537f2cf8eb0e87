// Frames as hosts send them: right lengths and checksums, until an input changes bytes.
#pragma once

#include <cstdint>

#include "flare/abi.h"
#include "shim/host.h"

namespace flare::fuzz {

struct Segment {
  flare_flow_key key{};
  bool v6 = false;
  std::uint32_t seq = 0, ack = 0;
  std::uint8_t flags = 0, ttl = 64;
  bool sack = false;         ///< with a SACK option
  bool partial = false;      ///< the checksum covers the pseudo-header alone
  std::uint8_t id = 0;       ///< of a fragment
  std::uint16_t offset = 0;  ///< of a fragment, in units of 8 bytes
  bool more = false;
  Frame payload;

  Frame frame() const;
};

/// An ICMP error about the IP packet at `l3` of `about`, of which `quoted` bytes are quoted.
Frame icmp_error(const Frame& about, std::size_t l3, bool v6, std::uint8_t type, std::uint8_t code,
                 std::size_t quoted);

}  // namespace flare::fuzz
