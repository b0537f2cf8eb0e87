// Numbers out of text, whole text or nothing.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>

namespace flare::lab {

/// The number that `text` is; nothing where it is none, does not fit, or is followed by more.
template <typename T>
std::optional<T> to_number(std::string_view text) {
  T value{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

}  // namespace flare::lab
