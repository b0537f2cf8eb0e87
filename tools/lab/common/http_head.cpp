#include "common/http_head.h"

#include <algorithm>
#include <cctype>

#include "common/number.h"

namespace flare::lab {
namespace {

constexpr std::size_t kHeadBytesMax = 16'384;
constexpr std::string_view kLineEnd = "\r\n";

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

bool same_word(std::string_view left, std::string_view right) {
  return std::ranges::equal(left, right, [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) ==
           std::tolower(static_cast<unsigned char>(b));
  });
}

std::optional<std::string_view> HttpHead::field(std::string_view name) const {
  for (const auto& [key, value] : fields) {
    if (same_word(key, name)) return value;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> HttpHead::content_length() const {
  const auto value = field("Content-Length");
  return value ? to_number<std::uint64_t>(*value) : std::nullopt;
}

bool HttpHead::closes() const {
  const auto value = field("Connection");
  return value && same_word(*value, "close");
}

Result<std::optional<HttpHead>> parse_head(std::string_view input) {
  const auto end = input.find("\r\n\r\n");
  if (end == std::string_view::npos || end > kHeadBytesMax) {
    if (input.size() > kHeadBytesMax) return Error("the head is longer than 16384 bytes");
    return std::optional<HttpHead>{};
  }
  HttpHead head;
  head.bytes = end + 4;
  std::string_view rest = input.substr(0, end + kLineEnd.size());
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find(kLineEnd));
    rest.remove_prefix(line.size() + kLineEnd.size());
    if (head.start_line.empty()) {
      head.start_line = line;
      continue;
    }
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return Error("a header line has no colon");
    head.fields.emplace_back(line.substr(0, colon), trimmed(line.substr(colon + 1)));
  }
  if (head.start_line.find("HTTP/1.") == std::string::npos) return Error("this is not HTTP/1");
  return std::optional<HttpHead>{std::move(head)};
}

}  // namespace flare::lab
