// One map of the configuration: which keys it may have, and each of them once.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "discovery/problem.h"
#include "discovery/yaml_tree.h"

namespace flare {

/// Reads one value into its place. `key` is the full name of the field.
using FieldReader = std::function<void(const YamlNode& node, const std::string& key)>;

struct Field {
  std::string_view name;
  FieldReader read;
  std::string_view required;  ///< what must stand there; empty: the field may be missing
};

/// Hands each entry of `node` to its field. Adds a problem for a value that is no map, an unknown
/// key (with the nearest known one), a key that comes twice and a required one that is missing.
/// `key` is the name of the map itself, empty for the whole file.
void read_fields(const YamlNode& node, const std::string& key, const std::vector<Field>& fields,
                 Problems& problems);

/// Calls `read` with each item of the list `node`, named `key[0]`, `key[1]`, ...
void read_items(const YamlNode& node, const std::string& key, const FieldReader& read,
                Problems& problems);

}  // namespace flare
