// Short ways to say what kind of value a key has and where it goes.
#pragma once

#include <string_view>
#include <utility>

#include "discovery/yaml_fields.h"
#include "discovery/yaml_values.h"

namespace flare {

/// A field that is a number, read into `target` of any number type.
template <typename Target>
Field number_field(std::string_view name, const NumberRange& range, Target& target,
                   Problems& problems) {
  return {name,
          [range, &target, &problems](const YamlNode& node, const std::string& key) {
            if (const auto value = read_number(node, key, range, problems)) target = *value;
          },
          {}};
}

/// A field that is a whole number; `range` fits the type of `target`.
template <typename Target>
Field integer_field(std::string_view name, const IntegerRange& range, Target& target,
                    Problems& problems) {
  return {name,
          [range, &target, &problems](const YamlNode& node, const std::string& key) {
            if (const auto value = read_integer(node, key, range, problems)) {
              target = static_cast<Target>(*value);
            }
          },
          {}};
}

inline Field duration_field(std::string_view name, const DurationRange& range,
                            std::chrono::milliseconds& target, Problems& problems) {
  return {name,
          [range, &target, &problems](const YamlNode& node, const std::string& key) {
            if (const auto value = read_duration(node, key, range, problems)) target = *value;
          },
          {}};
}

/// A field that is one of `words`, in the order of `Enum`'s numbers.
template <typename Enum>
Field word_field(std::string_view name, std::vector<std::string_view> words, Enum& target,
                 Problems& problems) {
  return {
      name,
      [words = std::move(words), &target, &problems](const YamlNode& node, const std::string& key) {
        if (const auto index = read_word(node, key, words, problems)) {
          target = static_cast<Enum>(*index);
        }
      },
      {}};
}

/// Reads one value and keeps its place.
inline FieldReader at_place(Place& place, FieldReader read) {
  return [&place, read = std::move(read)](const YamlNode& node, const std::string& key) {
    place = node.place;
    read(node, key);
  };
}

/// `field`, whose place is kept.
inline Field placed(Place& place, Field field) {
  field.read = at_place(place, std::move(field.read));
  return field;
}

}  // namespace flare
