#include "datapath/frame_builder.h"

#include <cstring>

#include "datapath/frame_view.h"

namespace flare::fuzz {
namespace {

constexpr std::uint8_t kLink[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};

void put16(Frame& frame, std::size_t value) {
  frame.push_back(static_cast<std::uint8_t>(value >> 8));
  frame.push_back(static_cast<std::uint8_t>(value));
}
void put32(Frame& frame, std::uint32_t value) {
  put16(frame, value >> 16);
  put16(frame, value & 0xffff);
}
void put_raw(Frame& frame, const void* bytes, std::size_t count) {
  const auto* at = static_cast<const std::uint8_t*>(bytes);
  frame.insert(frame.end(), at, at + count);
}

/// Ethernet and IP for `bytes` of what follows; the IPv4 checksum is written.
Frame ip_frame(bool v6, const flare_addr& src, const flare_addr& dst, std::uint8_t proto,
               std::uint8_t ttl, std::size_t bytes, std::uint16_t id, std::uint16_t fragment) {
  Frame frame;
  frame.reserve(128 + bytes);
  put_raw(frame, kLink, sizeof kLink);
  put16(frame, v6 ? 0x86dd : 0x0800);
  if (v6) {
    put32(frame, 0x60000000);
    put16(frame, bytes);
    frame.push_back(proto);
    frame.push_back(ttl);
    put_raw(frame, &src, 16);
    put_raw(frame, &dst, 16);
    return frame;
  }
  put16(frame, 0x4500);
  put16(frame, 20 + bytes);
  put16(frame, id);
  put16(frame, fragment);
  frame.push_back(ttl);
  frame.push_back(proto);
  put16(frame, 0);
  put_raw(frame, &src.word[3], 4);
  put_raw(frame, &dst.word[3], 4);
  const std::uint32_t sum = ~ones_sum(frame, 14, 34);
  frame[24] = static_cast<std::uint8_t>(sum >> 8);
  frame[25] = static_cast<std::uint8_t>(sum);
  return frame;
}

/// Writes the checksum at `at` that covers [l4, end) and a pseudo-header, or that header alone.
void write_checksum(Frame& frame, std::size_t l4, std::size_t at, bool v6, std::uint8_t proto,
                    bool pseudo, bool partial) {
  std::uint32_t sum = 0;
  if (pseudo)
    sum = ones_sum(frame, v6 ? 22 : 26, v6 ? 54 : 34,
                   static_cast<std::uint32_t>(proto + (frame.size() - l4)));
  if (!partial) sum = ~ones_sum(frame, l4, frame.size(), sum) & 0xffff;
  if (proto == 17 && sum == 0) sum = 0xffff;
  frame[at] = static_cast<std::uint8_t>(sum >> 8);
  frame[at + 1] = static_cast<std::uint8_t>(sum);
}

}  // namespace

Frame Segment::frame() const {
  const bool fragment = more || offset != 0;
  const std::size_t header = key.proto == 17 ? 8 : sack ? 32 : 20;
  const std::size_t shim = fragment && v6 ? 8 : 0;
  const std::size_t bytes = shim + (offset != 0 ? 0 : header) + payload.size();
  Frame frame =
      ip_frame(v6, key.src, key.dst, shim != 0 ? 44 : key.proto, ttl, bytes, id,
               fragment ? static_cast<std::uint16_t>(offset | (more ? 0x2000 : 0)) : 0x4000);
  if (shim != 0) {
    frame.push_back(key.proto);
    frame.push_back(0);
    put16(frame, static_cast<std::size_t>(offset) << 3 | (more ? 1 : 0));
    put32(frame, id);
  }
  const std::size_t l4 = frame.size();
  if (offset != 0) {
    put_raw(frame, payload.data(), payload.size());
    return frame;
  }
  put_raw(frame, &key.sport, 2);
  put_raw(frame, &key.dport, 2);
  if (key.proto == 17) {
    put16(frame, 8 + payload.size());
    put16(frame, 0);
  } else {
    put32(frame, seq);
    put32(frame, ack);
    put16(frame, header / 4 << 12 | flags);
    put16(frame, 0xffff);
    put32(frame, 0);
    if (sack) {
      put32(frame, 0x0101050a);
      put32(frame, ack + 100);
      put32(frame, ack + 200);
    }
  }
  put_raw(frame, payload.data(), payload.size());
  write_checksum(frame, l4, l4 + (key.proto == 17 ? 6 : 16), v6, key.proto, true, partial);
  return frame;
}

Frame icmp_error(const Frame& about, std::size_t l3, bool v6, std::uint8_t type, std::uint8_t code,
                 std::size_t quoted) {
  flare_addr router{}, to{};
  const std::uint8_t router_v4[] = {203, 0, 113, 254};
  std::memcpy(&router.word[3], router_v4, 4);
  if (v6) std::memcpy(&router, "\x20\x01\x0d\xb8\0\5\0\0\0\0\0\0\0\0\0\xfe", 16);
  if (v6)
    std::memcpy(&to, &about[l3 + 8], 16);
  else
    std::memcpy(&to.word[3], &about[l3 + 12], 4);
  const std::size_t bytes = quoted < about.size() - l3 ? quoted : about.size() - l3;
  const std::uint8_t proto = v6 ? 58 : 1;
  Frame frame = ip_frame(v6, router, to, proto, 64, 8 + bytes, 1, 0);
  const std::size_t l4 = frame.size();
  frame.push_back(type);
  frame.push_back(code);
  put16(frame, 0);
  put32(frame, 1280);
  put_raw(frame, &about[l3], bytes);
  write_checksum(frame, l4, l4 + 2, v6, proto, v6, false);
  return frame;
}

}  // namespace flare::fuzz
