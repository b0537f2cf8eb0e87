#include "discovery/yaml_values.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace flare {
namespace {

constexpr std::string_view kEndpointWords =
    "an address and port as 192.0.2.1:80 or \"[2001:db8::1]:80\"";
constexpr std::string_view kAddressWords = "an address as 192.0.2.1 or \"2001:db8::1\"";

std::string short_number(double value) {
  std::array<char, 32> buffer{};
  const int size = std::snprintf(buffer.data(), buffer.size(), "%.12g", value);
  return std::string(buffer.data(), static_cast<std::size_t>(size));
}

std::string range_words(std::string_view what, std::string_view min, std::string_view max,
                        std::string_view unit) {
  std::string text = std::string(what) + " from " + std::string(min) + " to " + std::string(max);
  if (!unit.empty()) text += " (" + std::string(unit) + ")";
  return text;
}

/// Digits that YAML readers agree on: no leading zeros (octal to some), no sign but minus.
bool is_plain_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }) &&
         (text == "0" || text.front() != '0');
}

std::optional<std::uint64_t> parse_integer(std::string_view text) {
  std::uint64_t value = 0;
  if (!is_plain_digits(text)) return std::nullopt;
  const auto [stop, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc{} || stop != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const std::string_view digits = text.substr(text.starts_with('-') ? 1 : 0);
  if (digits.empty() || digits.front() < '0' || digits.front() > '9') return std::nullopt;
  const auto [stop, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc{} || stop != text.data() + text.size()) return std::nullopt;
  return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

/// A scalar's text where it may be a number; "10" in quotes is text.
std::optional<std::string_view> plain_text(const YamlNode& node) {
  if (node.kind != YamlNode::Kind::kScalar || node.quoted) return std::nullopt;
  return node.text;
}

std::string found_words(const YamlNode& node) {
  const bool text = node.kind == YamlNode::Kind::kScalar && node.quoted;
  return text ? describe(node) + " (in quotes it is text, not a number)" : describe(node);
}

struct Unit {
  std::string_view word;
  std::uint64_t ms;
};
constexpr std::array<Unit, 4> kUnits{{{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}}};

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const std::size_t digits = text.find_first_not_of("0123456789");
  if (digits == std::string_view::npos) return std::nullopt;
  const auto count = parse_integer(text.substr(0, digits));
  const auto unit = std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& candidate) {
    return candidate.word == text.substr(digits);
  });
  constexpr std::uint64_t kCountMax = 1'000'000'000;
  if (!count || unit == kUnits.end() || *count > kCountMax) return std::nullopt;
  return std::chrono::milliseconds(*count * unit->ms);
}

std::string duration_text(std::chrono::milliseconds duration) {
  const auto ms = static_cast<std::uint64_t>(duration.count());
  const Unit* best = kUnits.data();
  for (const Unit& unit : kUnits) {
    if (ms != 0 && ms % unit.ms == 0) best = &unit;
  }
  return std::to_string(ms / best->ms) + std::string(best->word);
}

}  // namespace

std::optional<double> read_number(const YamlNode& node, std::string_view key,
                                  const NumberRange& range, Problems& problems) {
  const auto text = plain_text(node);
  const auto value = text ? parse_number(*text) : std::nullopt;
  if (value && *value >= range.min && *value <= range.max) return value;
  problems.refuse(
      node.place, key, found_words(node),
      range_words("a number", short_number(range.min), short_number(range.max), range.unit));
  return std::nullopt;
}

std::optional<std::uint64_t> read_integer(const YamlNode& node, std::string_view key,
                                          const IntegerRange& range, Problems& problems) {
  const auto text = plain_text(node);
  const auto value = text ? parse_integer(*text) : std::nullopt;
  if (value && *value >= range.min && *value <= range.max) return value;
  problems.refuse(node.place, key, found_words(node),
                  range_words("a whole number", std::to_string(range.min),
                              std::to_string(range.max), range.unit));
  return std::nullopt;
}

std::optional<std::chrono::milliseconds> read_duration(const YamlNode& node, std::string_view key,
                                                       const DurationRange& range,
                                                       Problems& problems) {
  const bool scalar = node.kind == YamlNode::Kind::kScalar;
  const auto value = scalar ? parse_duration(node.text) : std::nullopt;
  if (value && *value >= range.min && *value <= range.max) return value;
  problems.refuse(node.place, key, describe(node),
                  range_words("a time with its unit (ms, s, m, h)", duration_text(range.min),
                              duration_text(range.max), ""));
  return std::nullopt;
}

std::optional<bool> read_flag(const YamlNode& node, std::string_view key, Problems& problems) {
  const auto text = plain_text(node);
  if (text == "true") return true;
  if (text == "false") return false;
  problems.refuse(node.place, key, describe(node), "true or false");
  return std::nullopt;
}

std::optional<std::size_t> read_word(const YamlNode& node, std::string_view key,
                                     const std::vector<std::string_view>& words,
                                     Problems& problems) {
  if (node.kind == YamlNode::Kind::kScalar) {
    const auto found = std::find(words.begin(), words.end(), node.text);
    if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  }
  problems.refuse(node.place, key, describe(node), joined(words));
  return std::nullopt;
}

std::optional<std::string> read_text(const YamlNode& node, std::string_view key,
                                     std::string_view accepted, Problems& problems) {
  if (node.kind == YamlNode::Kind::kScalar && !node.text.empty()) return node.text;
  problems.refuse(node.place, key, describe(node), accepted);
  return std::nullopt;
}

std::optional<Address> read_address(const YamlNode& node, std::string_view key,
                                    Problems& problems) {
  const bool scalar = node.kind == YamlNode::Kind::kScalar;
  const auto address = scalar ? Address::parse(node.text) : std::nullopt;
  if (!address) {
    problems.refuse(node.place, key, describe(node), kAddressWords);
    return std::nullopt;
  }
  const std::string_view fault = address_fault(*address);
  if (fault.empty()) return address;
  problems.refuse(node.place, key, address->text() + ", " + std::string(fault),
                  "a unicast address that other hosts can reach");
  return std::nullopt;
}

std::optional<Endpoint> read_endpoint(const YamlNode& node, std::string_view key,
                                      Problems& problems) {
  const bool scalar = node.kind == YamlNode::Kind::kScalar;
  const auto endpoint = scalar ? Endpoint::parse(node.text) : std::nullopt;
  if (!endpoint) {
    problems.refuse(node.place, key, describe(node), kEndpointWords);
    return std::nullopt;
  }
  const std::string_view fault = address_fault(endpoint->address);
  if (fault.empty()) return endpoint;
  problems.refuse(node.place, key, endpoint->text() + ", " + std::string(fault),
                  "a unicast address that other hosts can reach");
  return std::nullopt;
}

std::string_view address_fault(const Address& address) {
  if (address.is_v4()) {
    const std::uint32_t v4 = ntohl(address.raw.word[3]);
    if (v4 >> 24 == 0) return "an unspecified address";
    if (v4 >> 24 == 127) return "a loopback address";
    if (v4 >> 16 == 0xa9fe) return "a link-local address";
    if (v4 >> 28 == 0xe) return "a multicast address";
    if (v4 >> 28 == 0xf) return "a broadcast or reserved address";
    return "";
  }
  const std::uint32_t head = ntohl(address.raw.word[0]);
  const bool low = head == 0 && address.raw.word[1] == 0 && address.raw.word[2] == 0;
  if (low && address.raw.word[3] == 0) return "an unspecified address";
  if (low && ntohl(address.raw.word[3]) == 1) return "a loopback address";
  if (head >> 22 == 0x3fa) return "a link-local address";
  if (head >> 24 == 0xff) return "a multicast address";
  return "";
}

}  // namespace flare
