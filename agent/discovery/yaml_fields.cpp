#include "discovery/yaml_fields.h"

#include <algorithm>
#include <optional>

namespace flare {
namespace {

std::string full_name(const std::string& parent, std::string_view name) {
  return parent.empty() ? std::string(name) : parent + "." + std::string(name);
}

std::vector<std::string_view> names_of(const std::vector<Field>& fields) {
  std::vector<std::string_view> names;
  names.reserve(fields.size());
  for (const Field& field : fields) names.push_back(field.name);
  return names;
}

void refuse_unknown(const YamlNode& entry, const std::string& parent,
                    const std::vector<Field>& fields, Problems& problems) {
  const auto known = names_of(fields);
  if (entry.kind != YamlNode::Kind::kScalar) {
    problems.refuse(entry.place, parent, describe(entry) + " as a key", joined(known));
    return;
  }
  const std::string_view near = nearest(entry.text, known);
  std::string found = "the unknown key " + in_quotes(entry.text);
  if (!near.empty()) found += " (did you mean " + in_quotes(near) + "?)";
  const std::string shown = in_quotes(entry.text);
  problems.refuse(entry.place, full_name(parent, shown.substr(1, shown.size() - 2)), found,
                  joined(known));
}

}  // namespace

void read_fields(const YamlNode& node, const std::string& key, const std::vector<Field>& fields,
                 Problems& problems) {
  if (node.kind != YamlNode::Kind::kMap) {
    problems.refuse(node.place, key, describe(node),
                    "a map with the keys " + joined(names_of(fields)));
    return;
  }
  std::vector<std::optional<Place>> seen(fields.size());
  for (const auto& [name, value] : node.entries) {
    const auto field = std::find_if(fields.begin(), fields.end(), [&name = name](const Field& f) {
      return name.kind == YamlNode::Kind::kScalar && f.name == name.text;
    });
    if (field == fields.end()) {
      refuse_unknown(name, key, fields, problems);
      continue;
    }
    auto& first = seen[static_cast<std::size_t>(field - fields.begin())];
    const std::string full = full_name(key, field->name);
    if (first) {
      problems.refuse(name.place, full,
                      "the key a second time (first in line " + std::to_string(first->line) + ")",
                      "each key once");
      continue;
    }
    first = name.place;
    if (value.kind == YamlNode::Kind::kNull) {
      // yaml-cpp places a missing value at whatever comes next.
      YamlNode nothing;
      nothing.place = name.place;
      field->read(nothing, full);
    } else {
      field->read(value, full);
    }
  }
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (seen[i] || fields[i].required.empty()) continue;
    problems.refuse(node.place, full_name(key, fields[i].name), "no such key", fields[i].required);
  }
}

void read_items(const YamlNode& node, const std::string& key, const FieldReader& read,
                Problems& problems) {
  if (node.kind != YamlNode::Kind::kSequence) {
    problems.refuse(node.place, key, describe(node), "a list (lines that start with -)");
    return;
  }
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    read(node.items[i], key + "[" + std::to_string(i) + "]");
  }
}

}  // namespace flare
