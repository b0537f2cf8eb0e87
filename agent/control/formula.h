// The Flare paper's rule: from arrivals and capacity to the share of new flows that must spill.
// No clock, no map; whole numbers, so that 0 means 0.
#pragma once

#include <cstdint>

namespace flare {

/// Rates are in flows per 1,000 s ("mrps"), shares of FLARE_SHARE_ONE.

/// `flows` in `elapsed_ns` as a rate; 0 where no time passed.
std::uint64_t rate_mrps(std::uint64_t flows, std::uint64_t elapsed_ns);

/// How many come in `elapsed_ns` at a rate, to the nearest.
std::uint64_t count_in(std::uint64_t rate_mrps, std::uint64_t elapsed_ns);

/// A share in 0..1 for the datapath, to the nearest; anything else is moved to the nearer end and
/// NaN is 0. 0 gives exactly 0 and 1 exactly FLARE_SHARE_ONE.
std::uint64_t share_from_fraction(double fraction);
double share_to_fraction(std::uint64_t share);

/// What one interval saw.
struct FormulaInput {
  std::uint64_t arrivals = 0;           ///< new flows of both tiers in this interval
  std::uint64_t arrivals_before = 0;    ///< and in the one before
  std::uint64_t elapsed_ns = 0;         ///< length of this interval
  std::uint64_t elapsed_before_ns = 0;  ///< length of the one before; 0: there was none
  std::uint64_t capacity_mrps = 0;
  double significance = 0;  ///< FormulaConfig::significance
};

struct FormulaOutput {
  std::uint64_t arrivals_mrps = 0;
  std::uint64_t load_mrps = 0;  ///< L = arrivals + their growth
  std::uint64_t share = 0;      ///< 1 - min(1, C / L); exactly 0 while L <= C
};

FormulaOutput formula(const FormulaInput& input);

/// 1 - capacity / load in shares, rounded down; exactly 0 where the load fits.
std::uint64_t share_beyond(std::uint64_t load_mrps, std::uint64_t capacity_mrps);

}  // namespace flare
