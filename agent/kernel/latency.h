// What the datapath's latency histograms say.
#pragma once

#include <cstdint>
#include <optional>

#include "flare/abi.h"

namespace flare {

/// Durations in a histogram, and their sum.
std::uint64_t latency_count(const flare_histogram& histogram);

/// The nearest-rank quantile (0 < q <= 1) in nanoseconds; nothing where the histogram is empty.
/// Within a slot it is where the neighbours' densities put it; of the open-ended last slot, its
/// lower end.
std::optional<std::uint64_t> latency_quantile_ns(const flare_histogram& histogram, double q);

/// Where slot `slot` begins, in nanoseconds; abi.h has the formula.
std::uint64_t latency_slot_start_ns(std::uint32_t slot);

}  // namespace flare
