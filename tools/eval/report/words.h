// Figures as text, the same everywhere.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "eval/report/results.h"

namespace flare::eval {

/// A figure of the median run, and the least and the most of all runs.
struct Spread {
  double median = 0;
  double least = 0;
  double most = 0;
  int runs = 0;
};

enum class Unit { kMs, kSeconds, kCount, kPercent, kSignedPercent, kUsd, kTimes };

/// `value` with its unit; percent of a fraction of 1. Infinite: "never answered", of
/// seconds "not within the run"; not a number: "-".
std::string text_of(double value, Unit unit);
/// The median and, of several runs, least and most in brackets.
std::string text_of(const Spread& spread, Unit unit);

using Figure = std::function<double(const Run&)>;
/// Of a cell that has a median.
Spread spread_of(const Results& results, const Cell& cell, const Figure& figure);

using PairFigure = std::function<double(const Run& run, const Run& base)>;
/// Of two cells that have medians: the median runs compared, and least and most over the
/// repetitions that are valid in both (none: of the medians alone).
Spread spread_of(const Results& results, const Cell& cell, const Cell& base,
                 const PairFigure& figure);

/// `2026-11-26 08:50:12 UTC`.
std::string date_text(std::int64_t unix_seconds);
std::string joined(const std::vector<std::string>& words, const std::string& between);

}  // namespace flare::eval
