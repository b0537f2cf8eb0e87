// Frames of HTTP/2, for tests.
#pragma once

#include <string>

#include "turn_fixture.h"

namespace flare::test {

inline constexpr std::uint8_t kEndStream = 1, kEndHeaders = 4;
inline const Bytes kPreface = to_bytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

inline Bytes frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, std::size_t bytes) {
  Bytes made(9 + bytes, 0);
  made[0] = static_cast<std::uint8_t>(bytes >> 16);
  made[1] = static_cast<std::uint8_t>(bytes >> 8);
  made[2] = static_cast<std::uint8_t>(bytes);
  made[3] = type;
  made[4] = flags;
  for (int i = 0; i < 4; ++i)
    made[5U + static_cast<unsigned>(i)] = static_cast<std::uint8_t>(stream >> (24 - 8 * i));
  return made;
}
inline Bytes data(std::uint32_t stream, std::size_t bytes, std::uint8_t flags = 0) {
  return frame(0, flags, stream, bytes);
}
inline Bytes headers(std::uint32_t stream, std::uint8_t flags = kEndHeaders | kEndStream) {
  return frame(1, flags, stream, 30);
}
inline Bytes rst_stream(std::uint32_t stream) { return frame(3, 0, stream, 4); }
inline Bytes settings() { return frame(4, 0, 0, 18); }
inline Bytes ping() { return frame(6, 0, 0, 8); }
inline Bytes window_update(std::uint32_t stream) { return frame(8, 0, stream, 4); }
/// A whole answer: header block, body, end.
inline Bytes answer(std::uint32_t stream) {
  return joined({headers(stream, kEndHeaders), data(stream, 100, kEndStream)});
}

/// A connection whose two sides have said hello.
class Http2 : public Turns {
 protected:
  void hello() {
    dial();
    client(joined({kPreface, settings(), window_update(0)}));
    server(settings());
  }
};

}  // namespace flare::test
