#include "eval/autoscaler/pods.h"

#include <gtest/gtest.h>

namespace flare::eval {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

TEST(CpuBetween, IsThePartOfTheSlotsThatWasBusy) {
  const PodStats before{.slots = 4, .busy_ns = kSecond, .now_ns = 10 * kSecond};
  PodStats now{.slots = 4, .busy_ns = 3 * kSecond, .now_ns = 11 * kSecond};
  EXPECT_EQ(cpu_between(before, now), 0.5);
  now.busy_ns = 5 * kSecond;
  EXPECT_EQ(cpu_between(before, now), 1);
}

TEST(CpuBetween, NothingWhereNoTimePassed) {
  const PodStats same{.slots = 4, .busy_ns = kSecond, .now_ns = 10 * kSecond};
  EXPECT_FALSE(cpu_between(same, same));
}

TEST(ParseStats, ErrorsNameTheKey) {
  EXPECT_EQ(parse_stats("{\"slots\": 4}").error().message(),
            "/stats: 'busy' is missing or no whole number");
  EXPECT_EQ(parse_stats("[]").error().message(), "/stats is no JSON object");
}

TEST(PodAddresses, NumberStandsInTheBraces) {
  EXPECT_EQ(PodAddresses{}.of(9), "10.20.109.10:8080");
  EXPECT_EQ((PodAddresses{"127.0.0.1:{}", 8000}.of(1)), "127.0.0.1:8001");
}

TEST(PodReader, SaysWhichPodDoesNotAnswer) {
  PodReader reader({"127.0.0.1:1{}", 0});
  const auto stats = reader.read(1);
  ASSERT_FALSE(stats);
  EXPECT_EQ(stats.error().message().find("http://127.0.0.1:11/stats: "), 0U)
      << stats.error().message();
}

}  // namespace
}  // namespace flare::eval
