// From a YAML value to one of ours, or a sentence about what would have been accepted.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "discovery/problem.h"
#include "discovery/yaml_tree.h"
#include "model/address.h"

namespace flare {

/// Numbers that a field accepts, both ends included.
struct NumberRange {
  double min = 0;
  double max = 0;
  std::string_view unit;  ///< for the message: "new flows a second"
};
struct IntegerRange {
  std::uint64_t min = 0;
  std::uint64_t max = 0;
  std::string_view unit;
};
struct DurationRange {
  std::chrono::milliseconds min{0};
  std::chrono::milliseconds max{0};
};

/// Each returns nullopt after adding the problem. `key` is the full name of the field.
std::optional<double> read_number(const YamlNode& node, std::string_view key,
                                  const NumberRange& range, Problems& problems);
std::optional<std::uint64_t> read_integer(const YamlNode& node, std::string_view key,
                                          const IntegerRange& range, Problems& problems);
/// `500ms`, `10s`, `5m`, `1h`; whole numbers.
std::optional<std::chrono::milliseconds> read_duration(const YamlNode& node, std::string_view key,
                                                       const DurationRange& range,
                                                       Problems& problems);
/// `true` or `false`.
std::optional<bool> read_flag(const YamlNode& node, std::string_view key, Problems& problems);
/// The index of the value in `words`.
std::optional<std::size_t> read_word(const YamlNode& node, std::string_view key,
                                     const std::vector<std::string_view>& words,
                                     Problems& problems);
/// A scalar of any kind as text.
std::optional<std::string> read_text(const YamlNode& node, std::string_view key,
                                     std::string_view accepted, Problems& problems);
/// An address that a single host may have: unicast, not loopback, not link-local.
std::optional<Address> read_address(const YamlNode& node, std::string_view key, Problems& problems);
std::optional<Endpoint> read_endpoint(const YamlNode& node, std::string_view key,
                                      Problems& problems);

/// What keeps `address` from being a frontend, a backend or a SNAT address ("a loopback
/// address"); empty where nothing does.
std::string_view address_fault(const Address& address);

}  // namespace flare
