// The onset of the shipped trace, scaling, smoothing, and what cannot be cut.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "common/rate_file.h"
#include "trace/window.h"

namespace flare::lab {
namespace {

std::vector<double> shipped_trace() {
  auto trace = read_rate_file(FLARE_TRACES_DIR "/twitter_spike_sustained_1s.csv");
  EXPECT_TRUE(trace);
  return trace ? *trace : std::vector<double>{};
}

TEST(Window, FindsTheOnsetOfTheShippedTrace) {
  const auto window = cut_window(shipped_trace(), {});
  ASSERT_TRUE(window);
  EXPECT_EQ(window->calm_median, 72);
  EXPECT_EQ(window->onset, 1945);
  EXPECT_EQ(window->jump, 1942);
  EXPECT_EQ(window->first, 1915);
  EXPECT_EQ(window->calm_until, 26) << "one second before the jump, for the moving mean";
  EXPECT_EQ(window->rates.size(), 120U);
}

TEST(Window, ScalesTheMeanOfThreeSeconds) {
  const auto trace = shipped_trace();
  const auto window = cut_window(trace, {});
  ASSERT_TRUE(window);
  const double three = (trace[1942] + trace[1943] + trace[1944]) / 3;
  EXPECT_DOUBLE_EQ(window->rates[1943 - 1915], three * 200 / 72);
  const auto raw = cut_window(trace, {.smooth = 1});
  ASSERT_TRUE(raw);
  EXPECT_DOUBLE_EQ(raw->rates[1943 - 1915], trace[1943] * 200 / 72);
  EXPECT_EQ(raw->calm_until, 27);
}

TEST(Window, RefusesATraceWithoutOnset) {
  const std::vector<double> flat(2000, 72);
  EXPECT_FALSE(cut_window(flat, {}));
}

TEST(Window, RefusesAWindowBeyondTheTrace) {
  std::vector<double> step(1600, 72);
  std::fill(step.begin() + 1520, step.end(), 200);
  EXPECT_TRUE(cut_window(step, {.before = 30, .after = 60}));
  EXPECT_FALSE(cut_window(step, {.before = 30, .after = 90}));
}

TEST(RateFile, NamesTheLineThatItCannotRead) {
  const auto path = std::filesystem::path(testing::TempDir()) / "flare_rates_test.csv";
  std::ofstream(path) << "# remark\nsecond,rate\n0,5\n1,-3\n";
  const auto rates = read_rate_file(path);
  ASSERT_FALSE(rates);
  EXPECT_NE(rates.error().message().find(":4:"), std::string::npos) << rates.error().message();
  std::filesystem::remove(path);
}

TEST(RateFile, ReadsWhatItWrote) {
  const auto path = std::filesystem::path(testing::TempDir()) / "flare_rates_back_test.csv";
  ASSERT_TRUE(write_rate_file(path, {1.5, 0, 300}, "a remark"));
  const auto rates = read_rate_file(path);
  ASSERT_TRUE(rates);
  EXPECT_EQ(*rates, (std::vector<double>{1.5, 0, 300}));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace flare::lab
