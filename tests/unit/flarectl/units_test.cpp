// Numbers as people read them.
#include "flarectl/units.h"

#include <gtest/gtest.h>

namespace flare::ctl {
namespace {

TEST(Units, CountsAreGroupedAndThenShortened) {
  EXPECT_EQ(human_count(0), "0");
  EXPECT_EQ(human_count(999), "999");
  EXPECT_EQ(human_count(1000), "1,000");
  EXPECT_EQ(human_count(1234567), "1,234,567");
  EXPECT_EQ(human_count(12'345'678), "12.3M");
  EXPECT_EQ(human_count(UINT64_MAX), "18447P");
}

TEST(Units, BytesGoByThousands) {
  EXPECT_EQ(human_bytes(999), "999 B");
  EXPECT_EQ(human_bytes(1840), "1.84 kB");
  EXPECT_EQ(human_bytes(999'600), "1.00 MB");
}

TEST(Units, TimesAreAsCoarseAsTheyAreLong) {
  EXPECT_EQ(human_time(400'000'000), "0.4 s");
  EXPECT_EQ(human_time(12'000'000'000), "12 s");
  EXPECT_EQ(human_time(59'700'000'000), "1 min 0 s");
  EXPECT_EQ(human_time(185'000'000'000), "3 min 5 s");
  EXPECT_EQ(human_time(7380'000'000'000), "2 h 3 min");
  EXPECT_EQ(human_time(4 * 86'400'000'000'000 + 5 * 3600'000'000'000), "4 d 5 h");
}

TEST(Units, LatenciesHaveThreeDigits) {
  EXPECT_EQ(human_latency(0), "0.00 us");
  EXPECT_EQ(human_latency(123'456), "123 us");
  EXPECT_EQ(human_latency(999'600), "1.00 ms");
  EXPECT_EQ(human_latency(71'300'000), "71.3 ms");
  EXPECT_EQ(human_latency(1'240'000'000), "1.24 s");
}

TEST(Units, SharesAreZeroOrAllOnlyWhereTheyAre) {
  EXPECT_EQ(human_share(0), "0 %");
  EXPECT_EQ(human_share(1), "100 %");
  EXPECT_EQ(human_share(1.0 / 4294967296), "<0.01 %");
  EXPECT_EQ(human_share(0.9999999), ">99.99 %");
  EXPECT_EQ(human_share(0.25), "25.0 %");
  EXPECT_EQ(human_share(1.0 / 1024), "0.10 %");
}

TEST(Units, RatesAndDollars) {
  EXPECT_EQ(human_rate(0), "0/s");
  EXPECT_EQ(human_rate(12.34), "12.3/s");
  EXPECT_EQ(human_rate(438), "438/s");
  EXPECT_EQ(human_rate(1'710'000), "1.71M/s");
  EXPECT_EQ(human_usd(0), "$0");
  EXPECT_EQ(human_usd(1.3145), "$1.31");
  EXPECT_EQ(human_usd(0.0042), "$0.0042");
}

}  // namespace
}  // namespace flare::ctl
