// Bodies that can be checked: made bytes, and a checksum of received ones.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/random.h"

namespace flare::lab {

/// The byte at `offset` of every body that the lab makes. Shifted or repeated pieces differ.
constexpr char made_byte(std::uint64_t offset) {
  return static_cast<char>(mixed(offset / 8) >> (offset % 8 * 8));
}

/// Appends the bytes [offset, offset + size) of a made body.
inline void append_made_bytes(std::string& out, std::uint64_t offset, std::uint64_t size) {
  for (std::uint64_t at = offset; at < offset + size; ++at) out.push_back(made_byte(at));
}

/// FNV-1a, 64 bits, fed in pieces.
class Checksum {
 public:
  void add(std::string_view bytes) {
    for (const char byte : bytes) {
      value_ = (value_ ^ static_cast<unsigned char>(byte)) * 0x100000001b3ULL;
    }
  }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325ULL;
};

}  // namespace flare::lab
