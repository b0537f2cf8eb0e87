// Percentiles of raw samples, without a histogram.
#pragma once

#include <algorithm>
#include <cassert>
#include <cmath>
#include <span>

namespace flare::lab {

/// The nearest-rank percentile, `fraction` in (0, 1], of samples in rising order; not of none.
template <typename T>
T nearest_rank(std::span<const T> sorted, double fraction) {
  assert(!sorted.empty() && fraction > 0 && fraction <= 1);
  const double size = static_cast<double>(sorted.size());
  // A hair below the product, so that 0.95 x 20 is rank 19 although 0.95 is not exact.
  const auto rank = static_cast<std::size_t>(std::ceil(fraction * size - 1e-9));
  return sorted[std::clamp<std::size_t>(rank, 1, sorted.size()) - 1];
}

}  // namespace flare::lab
