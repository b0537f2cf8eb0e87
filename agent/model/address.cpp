#include "model/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace flare {
namespace {

/// The words before the IPv4 part of a mapped address, in network order.
const __be32 kMappedMark = htonl(0x0000ffffU);

std::array<std::uint8_t, 16> bytes_of(const flare_addr& raw) {
  std::array<std::uint8_t, 16> bytes{};
  std::memcpy(bytes.data(), raw.word, bytes.size());
  return bytes;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [stop, fault] = std::from_chars(text.data(), end, port);
  if (fault != std::errc{} || stop != end || port == 0 || text.front() == '0') {
    return std::nullopt;
  }
  return port;
}

}  // namespace

std::optional<Address> Address::parse(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN + 1> terminated{};
  if (text.empty() || text.size() >= terminated.size()) return std::nullopt;
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  std::copy(text.begin(), text.end(), terminated.begin());

  Address address;
  if (text.find(':') == std::string_view::npos) {
    if (::inet_pton(AF_INET, terminated.data(), &address.raw.word[3]) != 1) return std::nullopt;
    address.raw.word[2] = kMappedMark;
    return address;
  }
  if (::inet_pton(AF_INET6, terminated.data(), address.raw.word) != 1) return std::nullopt;
  // An IPv4 address has one way to be written here, or comparing would miss equals.
  if (address.is_v4()) return std::nullopt;
  return address;
}

bool Address::is_v4() const {
  return raw.word[0] == 0 && raw.word[1] == 0 && raw.word[2] == kMappedMark;
}

std::string Address::text() const {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  if (is_v4()) {
    ::inet_ntop(AF_INET, &raw.word[3], buffer.data(), buffer.size());
  } else {
    ::inet_ntop(AF_INET6, raw.word, buffer.data(), buffer.size());
  }
  return buffer.data();
}

bool Address::operator==(const Address& other) const {
  return bytes_of(raw) == bytes_of(other.raw);
}

std::strong_ordering Address::operator<=>(const Address& other) const {
  return bytes_of(raw) <=> bytes_of(other.raw);
}

std::optional<Endpoint> Endpoint::parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon + 1 == text.size()) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);

  const auto address = Address::parse(host);
  const auto port = parse_port(text.substr(colon + 1));
  if (!address || !port || address->is_v4() == bracketed) return std::nullopt;
  return Endpoint{*address, *port};
}

std::string Endpoint::text() const {
  const std::string host = address.text();
  return (address.is_v4() ? host : "[" + host + "]") + ":" + std::to_string(port);
}

std::optional<Prefix> Prefix::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = Address::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  const std::uint32_t most = address->is_v4() ? 32 : 128;
  std::uint32_t bits = most;
  if (slash != std::string_view::npos) {
    const std::string_view number = text.substr(slash + 1);
    const char* end = number.data() + number.size();
    const auto [stop, fault] = std::from_chars(number.data(), end, bits);
    if (fault != std::errc{} || stop != end || bits > most) return std::nullopt;
  }
  const auto bytes = bytes_of(address->raw);
  for (std::uint32_t bit = 128 - most + bits; bit < 128; ++bit) {
    if ((bytes[bit / 8] >> (7 - bit % 8)) & 1) return std::nullopt;
  }
  return Prefix{*address, bits};
}

std::string Prefix::text() const { return address.text() + "/" + std::to_string(bits); }

flare_prefix Prefix::key() const {
  return {.bits = address.is_v4() ? 96 + bits : bits, .addr = address.raw};
}

std::string_view to_text(Protocol protocol) { return protocol == Protocol::kTcp ? "tcp" : "udp"; }

}  // namespace flare
