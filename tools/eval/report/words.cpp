#include "eval/report/words.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>

namespace flare::eval {
namespace {

std::string printed(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof(text), format, value);
  return text;
}

/// Percent with one digit; two that count where it is below 1, so that little is told from none.
std::string percent(double fraction, bool with_sign) {
  const double size = 100 * std::abs(fraction);
  const std::string digits = printed(size > 0 && size < 1 ? "%.2g" : "%.1f", size);
  if (fraction == 0) return "0";
  if (fraction < 0) return "−" + digits;
  return with_sign ? "+" + digits : digits;
}

/// 12345 as 12,345.
std::string grouped(double value) {
  const std::string digits = printed("%.0f", std::abs(value));
  std::string text = value <= -0.5 ? "-" : "";
  for (std::size_t at = 0; at < digits.size(); ++at) {
    if (at > 0 && (digits.size() - at) % 3 == 0) text += ',';
    text += digits[at];
  }
  return text;
}

Spread widened(Spread spread, double value) {
  spread.least = spread.runs == 0 ? value : std::min(spread.least, value);
  spread.most = spread.runs == 0 ? value : std::max(spread.most, value);
  ++spread.runs;
  return spread;
}

/// A figure without its unit, if it has one.
std::string digits_of(double value, Unit unit) {
  if (std::isnan(value)) return "-";
  if (std::isinf(value)) return unit == Unit::kSeconds ? "not within the run" : "never answered";
  switch (unit) {
    case Unit::kMs:
    case Unit::kCount:
      return grouped(value);
    case Unit::kSeconds:
      return printed("%.0f", value);
    case Unit::kPercent:
      return percent(value, false);
    case Unit::kSignedPercent:
      return percent(value, true);
    case Unit::kUsd:
      return value == 0 ? "0" : printed("%.4f", value);
    case Unit::kTimes:
      return printed("%.2f", value);
  }
  return "";
}

std::string_view unit_words(double value, Unit unit) {
  constexpr std::string_view kWords[] = {" ms", " s", "", " %", " %", " USD", "x"};
  return std::isfinite(value) ? kWords[static_cast<int>(unit)] : "";
}

}  // namespace

std::string text_of(double value, Unit unit) {
  return digits_of(value, unit) + std::string(unit_words(value, unit));
}

std::string text_of(const Spread& spread, Unit unit) {
  const std::string median = digits_of(spread.median, unit);
  const std::string least = digits_of(spread.least, unit);
  const std::string most = digits_of(spread.most, unit);
  std::string text = text_of(spread.median, unit);
  if (spread.runs < 2 || (least == median && most == median)) return text;
  return text + " (" + least + " to " + most + ")";
}

Spread spread_of(const Results& results, const Cell& cell, const Figure& figure) {
  Spread spread;
  for (const Run* run : results.valid_runs(cell)) spread = widened(spread, figure(*run));
  spread.median = figure(*results.median(cell));
  return spread;
}

Spread spread_of(const Results& results, const Cell& cell, const Cell& base,
                 const PairFigure& figure) {
  Spread spread;
  const auto bases = results.valid_runs(base);
  for (const Run* run : results.valid_runs(cell)) {
    const auto same = std::ranges::find(bases, run->repetition, &Run::repetition);
    if (same != bases.end()) spread = widened(spread, figure(*run, **same));
  }
  spread.median = figure(*results.median(cell), *results.median(base));
  if (spread.runs == 0) spread = widened(spread, spread.median);
  // The medians need not be of one repetition.
  spread.least = std::min(spread.least, spread.median);
  spread.most = std::max(spread.most, spread.median);
  return spread;
}

std::string date_text(std::int64_t unix_seconds) {
  const std::time_t time = unix_seconds;
  std::tm parts = {};
  gmtime_r(&time, &parts);
  char text[64];
  std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &parts);
  return text;
}

std::string joined(const std::vector<std::string>& words, const std::string& between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

}  // namespace flare::eval
