// The head of an HTTP/1.1 message: what backend and load generator need of it, and no more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace flare::lab {

/// The first line and the fields of a message.
struct HttpHead {
  std::string start_line;
  std::vector<std::pair<std::string, std::string>> fields;
  std::size_t bytes = 0;  ///< of the head with its closing empty line

  /// The value of the first field of that name, in any case; nothing where there is none.
  std::optional<std::string_view> field(std::string_view name) const;
  /// Content-Length; nothing where there is none or it is not a number.
  std::optional<std::uint64_t> content_length() const;
  /// The peer closes, or wants us to close, after this message.
  bool closes() const;
};

/// Reads the head at the front of `input`: nothing while it is incomplete, an error where it is not
/// HTTP or longer than 16 KiB.
Result<std::optional<HttpHead>> parse_head(std::string_view input);

/// Text compared without case, as field names and most values are.
bool same_word(std::string_view left, std::string_view right);

}  // namespace flare::lab
