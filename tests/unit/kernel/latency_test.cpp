// The histogram's slots, as the datapath chooses them and as they are read.
#include "kernel/latency.h"

#include <gtest/gtest.h>

#include <cmath>

#include "select.bpf.h"

namespace flare {
namespace {

TEST(LatencySlots, AreWhereTheirStartsSay) {
  for (std::uint32_t slot = 0; slot < FLARE_LATENCY_SLOTS; ++slot) {
    const std::uint64_t start = latency_slot_start_ns(slot);
    EXPECT_EQ(latency_slot(start), slot);
    if (slot > 0) {
      EXPECT_EQ(latency_slot(start - 1), slot - 1);
    }
  }
  EXPECT_EQ(latency_slot_start_ns(1), 16'384U);
  EXPECT_EQ(latency_slot_start_ns(FLARE_LATENCY_SLOTS - 1), std::uint64_t{1} << 36);
  EXPECT_EQ(latency_slot(~std::uint64_t{0}), FLARE_LATENCY_SLOTS - 1U);
}

TEST(LatencyQuantiles, AreWithinASlotOfTheTruth) {
  flare_histogram histogram{};
  EXPECT_EQ(latency_quantile_ns(histogram, 0.5), std::nullopt);
  for (std::uint64_t ms = 1; ms <= 1000; ++ms) ++histogram.count[latency_slot(ms * 1'000'000)];
  EXPECT_EQ(latency_count(histogram), 1000U);
  for (const double q : {0.01, 0.50, 0.95, 0.99, 1.0}) {
    const double truth = q * 1e9;
    EXPECT_NEAR(static_cast<double>(*latency_quantile_ns(histogram, q)), truth, truth * 0.04) << q;
  }
}

// Samples as if evenly spread within a slot would put the P99 up to 0.8 % too high here.
TEST(LatencyQuantiles, OfATailAreNotTooHigh) {
  constexpr int kSamples = 20'000;
  for (double mean_ns = 20e6; mean_ns < 40e6; mean_ns *= 1.0443) {
    flare_histogram histogram{};
    for (int i = 0; i < kSamples; ++i) {
      const double sample_ns = -mean_ns * std::log(1 - (i + 0.5) / kSamples);
      ++histogram.count[latency_slot(static_cast<std::uint64_t>(sample_ns))];
    }
    for (const double q : {0.50, 0.95, 0.99}) {
      const double truth = -mean_ns * std::log(1 - q);
      EXPECT_NEAR(static_cast<double>(*latency_quantile_ns(histogram, q)), truth, truth * 0.003)
          << q << " of " << mean_ns;
    }
  }
}

TEST(LatencyQuantiles, OfWhatIsBeyondTheLastSlotAreItsLowerEnd) {
  flare_histogram histogram{};
  histogram.count[FLARE_LATENCY_SLOTS - 1] = 1;
  EXPECT_EQ(latency_quantile_ns(histogram, 0.5), std::uint64_t{1} << 36);
  histogram = {};
  histogram.count[0] = 2;
  EXPECT_LT(*latency_quantile_ns(histogram, 0.5), 16'384U);
}

}  // namespace
}  // namespace flare
