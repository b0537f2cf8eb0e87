// Values of the maps are equal where their bytes are.
#pragma once

#include <cstring>
#include <type_traits>

namespace flare {

template <typename Value>
bool same_bytes(const Value& a, const Value& b) {
  static_assert(std::has_unique_object_representations_v<Value>);
  return std::memcmp(&a, &b, sizeof(Value)) == 0;
}

}  // namespace flare
