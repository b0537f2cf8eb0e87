#include "host/back_off.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <string>

#include "host/small_file.h"

namespace flare {
namespace {

constexpr std::uint32_t kMostCounted = 6;
constexpr std::uint32_t kLongestSeconds = 30;

/// What is not a number, as after a full disk, counts as none.
std::uint32_t number_in(const std::string& text) {
  std::uint32_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return std::min(number, kMostCounted);
}

}  // namespace

Result<std::chrono::seconds> BackOff::begin() const {
  auto text = read_small_file(file_, 32);
  if (!text) return text.error();
  const std::uint32_t short_ones = *text ? number_in(**text) : 0;
  auto written = replace_file(file_, std::to_string(std::min(short_ones + 1, kMostCounted)), 0600);
  if (!written) return written.error();
  if (short_ones == 0) return std::chrono::seconds(0);
  return std::chrono::seconds(std::min(1U << (short_ones - 1), kLongestSeconds) - 1);
}

Result<void> BackOff::forget() const {
  std::error_code failed;
  std::filesystem::remove(file_, failed);
  if (failed) return Error::from_errno("cannot remove '" + file_.string() + "'", failed.value());
  return {};
}

}  // namespace flare
