#include "kernel/latency.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>

namespace flare {

std::uint64_t latency_count(const flare_histogram& histogram) {
  return std::accumulate(std::begin(histogram.count), std::end(histogram.count), std::uint64_t{0});
}

std::uint64_t latency_slot_start_ns(std::uint32_t slot) {
  if (slot == 0) return 0;
  const std::uint32_t octave = (slot - 1) / FLARE_LATENCY_SUB;
  const std::uint32_t sub = (slot - 1) % FLARE_LATENCY_SUB;
  const std::uint64_t octave_ns = std::uint64_t{1} << (FLARE_LATENCY_MIN_BITS + octave);
  return octave_ns + octave_ns / FLARE_LATENCY_SUB * sub;
}

std::optional<std::uint64_t> latency_quantile_ns(const flare_histogram& histogram, double q) {
  const std::uint64_t total = latency_count(histogram);
  if (total == 0) return std::nullopt;
  const auto asked = static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(total)));
  const std::uint64_t rank = std::clamp<std::uint64_t>(asked, 1, total);
  std::uint64_t below = 0;
  for (std::uint32_t slot = 0; slot + 1 < FLARE_LATENCY_SLOTS; ++slot) {
    const std::uint64_t here = histogram.count[slot];
    if (below + here >= rank) {
      const std::uint64_t start = latency_slot_start_ns(slot);
      const std::uint64_t width = latency_slot_start_ns(slot + 1) - start;
      const double place = (static_cast<double>(rank - below) - 0.5) / static_cast<double>(here);
      return start + static_cast<std::uint64_t>(place * static_cast<double>(width));
    }
    below += here;
  }
  return latency_slot_start_ns(FLARE_LATENCY_SLOTS - 1);
}

}  // namespace flare
