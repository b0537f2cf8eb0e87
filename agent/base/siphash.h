// SipHash-2-4: a hash that nobody can aim at without its key.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace flare {

using HashKey = std::array<std::uint64_t, 2>;

/// The 64-bit SipHash-2-4 of `bytes` under `key` (Aumasson and Bernstein, 2012).
std::uint64_t siphash(const HashKey& key, std::span<const std::uint8_t> bytes);

}  // namespace flare
