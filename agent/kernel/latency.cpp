#include "kernel/latency.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>

namespace flare {
namespace {

double width_ns(std::uint32_t slot) {
  return static_cast<double>(latency_slot_start_ns(slot + 1) - latency_slot_start_ns(slot));
}

/// Samples a nanosecond.
double density(const flare_histogram& histogram, std::uint32_t slot) {
  return static_cast<double>(histogram.count[slot]) / width_ns(slot);
}

/// How far into `slot`, from 0 to 1, `part` of its samples lie. They are thinner on the side where
/// the neighbour is: the density is a straight line with the slope from one neighbour to the other,
/// as even slots would put every quantile of a tail too high.
double place_in_slot(const flare_histogram& histogram, std::uint32_t slot, double part) {
  if (slot == 0 || slot + 2 >= FLARE_LATENCY_SLOTS) return part;
  const double width = width_ns(slot);
  const double apart = width_ns(slot - 1) / 2 + width + width_ns(slot + 1) / 2;
  const double slope = (density(histogram, slot + 1) - density(histogram, slot - 1)) / apart;
  // From the slot's middle to its upper edge, relative to its own density, which cannot be below 0.
  const double rise = std::clamp(slope * width / 2 / density(histogram, slot), -1.0, 1.0);
  if (std::abs(rise) < 1e-6) return part;
  // The place x up to which the line holds `part`: (1 - rise) x + rise x^2 = part.
  return (rise - 1 + std::sqrt((1 - rise) * (1 - rise) + 4 * rise * part)) / (2 * rise);
}

}  // namespace

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
      const double part = (static_cast<double>(rank - below) - 0.5) / static_cast<double>(here);
      const double offset_ns = place_in_slot(histogram, slot, part) * width_ns(slot);
      return latency_slot_start_ns(slot) + static_cast<std::uint64_t>(offset_ns);
    }
    below += here;
  }
  return latency_slot_start_ns(FLARE_LATENCY_SLOTS - 1);
}

}  // namespace flare
