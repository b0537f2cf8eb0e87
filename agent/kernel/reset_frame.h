// A TCP reset as a frame of Ethernet, as it would arrive from the wire.
#pragma once

#include <cstdint>
#include <vector>

#include "flare/abi.h"

namespace flare {

/// RST and ACK from `flow.src` to `flow.dst`, with these numbers and all checksums right. The link
/// addresses are 0, which no device has: what no program takes, the stack does not take either.
std::vector<std::uint8_t> reset_frame(const flare_flow_key& flow, std::uint32_t seq,
                                      std::uint32_t ack);

}  // namespace flare
