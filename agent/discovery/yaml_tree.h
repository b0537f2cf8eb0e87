// A YAML document as a tree that forgets nothing: places, quotes and repeated keys are kept.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "discovery/problem.h"

namespace flare {

struct YamlEntry;

struct YamlNode {
  enum class Kind : std::uint8_t { kNull, kScalar, kSequence, kMap };

  Kind kind = Kind::kNull;
  Place place;
  std::string text;                ///< of a scalar
  bool quoted = false;             ///< a scalar in quotes or a block: text, never a number
  std::vector<YamlNode> items;     ///< of a sequence
  std::vector<YamlEntry> entries;  ///< of a map, in order
};

struct YamlEntry {
  YamlNode key;
  YamlNode value;
};

/// What a node is, in words: `the text "abc"`, `a list`, `a map`, `nothing`.
std::string describe(const YamlNode& node);

/// Reads the one document of `text`. Aliases, anchors, tags, a second document, too deep nesting
/// and bytes that are not UTF-8 are refused; nullopt then, with the problem added.
std::optional<YamlNode> parse_yaml(std::string_view text, Problems& problems);

}  // namespace flare
