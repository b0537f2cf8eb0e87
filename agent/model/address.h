// Addresses and endpoints as text and as the datapath keeps them.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "flare/abi.h"

namespace flare {

/// An IPv4 or IPv6 address in the form of the maps (IPv4 as ::ffff:a.b.c.d).
struct Address {
  flare_addr raw{};

  /// Reads dotted IPv4 or IPv6 text; no brackets, no scope, no host name.
  static std::optional<Address> parse(std::string_view text);
  bool is_v4() const;
  std::string text() const;
  bool operator==(const Address& other) const;
  auto operator<=>(const Address& other) const -> std::strong_ordering;
};

/// An address with a port in host order.
struct Endpoint {
  Address address;
  std::uint16_t port = 0;

  /// Reads `192.0.2.1:80` or `[2001:db8::1]:80`.
  static std::optional<Endpoint> parse(std::string_view text);
  std::string text() const;
  bool operator==(const Endpoint&) const = default;
  auto operator<=>(const Endpoint&) const =
      default;  // NOLINT(modernize-use-nullptr): tidy 14 sees `= 0`
};

/// An address and how many of its leading bits count, as 192.0.2.0/24.
struct Prefix {
  Address address;         ///< the other bits are 0
  std::uint32_t bits = 0;  ///< as written: at most 32 for IPv4, 128 for IPv6

  /// Reads `192.0.2.0/24` or `2001:db8::/32`; a lone address is all of its bits. Nothing where bits
  /// behind the prefix are set.
  static std::optional<Prefix> parse(std::string_view text);
  std::string text() const;
  /// As the trie in the maps takes it.
  flare_prefix key() const;
  bool operator==(const Prefix&) const = default;
};

enum class Protocol : std::uint8_t { kTcp = 6, kUdp = 17 };

std::string_view to_text(Protocol protocol);

}  // namespace flare
