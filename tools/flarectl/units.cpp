#include "flarectl/units.h"

#include <array>
#include <cmath>
#include <cstdio>

namespace flare::ctl {
namespace {

std::string with_digits(double value, int digits) {
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}

/// Three digits that count: 1.23, 12.3, 123.
std::string three_digits(double value) {
  return with_digits(value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0);
}

std::string scaled(double value, const std::array<const char*, 6>& units) {
  std::size_t step = 0;
  while (value >= 999.5 && step + 1 < units.size()) {
    value /= 1000;
    ++step;
  }
  return three_digits(value) + units[step];
}

std::string grouped(std::uint64_t count) {
  std::string digits = std::to_string(count);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    bool starts_group = i > 0 && (digits.size() - i) % 3 == 0;
    if (starts_group) text += ',';
    text += digits[i];
  }
  return text;
}

}  // namespace

std::string human_count(std::uint64_t count) {
  if (count < 10'000'000) return grouped(count);
  return scaled(static_cast<double>(count), {"", "k", "M", "G", "T", "P"});
}

std::string human_bytes(std::uint64_t bytes) {
  if (bytes < 1000) return std::to_string(bytes) + " B";
  return scaled(static_cast<double>(bytes), {" B", " kB", " MB", " GB", " TB", " PB"});
}

std::string human_time(std::uint64_t ns) {
  double seconds = static_cast<double>(ns) / 1e9;
  if (seconds < 9.95) return with_digits(seconds, 1) + " s";
  auto whole = static_cast<std::uint64_t>(std::llround(seconds));
  if (whole < 60) return std::to_string(whole) + " s";
  if (whole < 3600) {
    return std::to_string(whole / 60) + " min " + std::to_string(whole % 60) + " s";
  }
  if (whole < 86'400) {
    return std::to_string(whole / 3600) + " h " + std::to_string(whole % 3600 / 60) + " min";
  }
  return std::to_string(whole / 86'400) + " d " + std::to_string(whole % 86'400 / 3600) + " h";
}

std::string human_latency(std::uint64_t ns) {
  const auto three_digits = [](double value) {
    return with_digits(value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0);
  };
  const auto value = static_cast<double>(ns);
  if (value < 999.5e3) return three_digits(value / 1e3) + " us";
  if (value < 999.5e6) return three_digits(value / 1e6) + " ms";
  return three_digits(value / 1e9) + " s";
}

std::string human_rate(double per_second) {
  if (per_second == 0) return "0/s";
  if (per_second < 999.5) return with_digits(per_second, per_second < 99.95 ? 1 : 0) + "/s";
  return scaled(per_second, {"", "k", "M", "G", "T", "P"}) + "/s";
}

std::string human_share(double fraction) {
  if (fraction <= 0) return "0 %";
  if (fraction >= 1) return "100 %";
  double percent = fraction * 100;
  if (percent < 0.01) return "<0.01 %";
  if (percent > 99.99) return ">99.99 %";
  return with_digits(percent, percent < 9.995 || percent > 90.005 ? 2 : 1) + " %";
}

std::string human_usd(double usd) {
  if (usd == 0) return "$0";
  if (usd >= 0.995) return std::string("$").append(with_digits(usd, 2));
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), "$%.2g", usd);
  return text.data();
}

}  // namespace flare::ctl
