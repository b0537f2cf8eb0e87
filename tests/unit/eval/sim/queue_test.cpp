// The queues against what queueing theory says of them.
#include <gtest/gtest.h>

#include <cmath>

#include "eval/sim/histogram.h"
#include "sim_fixture.h"

namespace flare::eval {
namespace {

/// The chance that a request of an M/M/c waits, `load` being arrivals x service time.
double erlang_c(int slots, double load) {
  double term = 1;
  double sum = 1;
  for (int busy = 1; busy < slots; ++busy) sum += term *= load / busy;
  const double all_busy = term * load / slots * slots / (slots - load);
  return all_busy / (sum + all_busy);
}

/// The mean wait in an M/M/c, in service times.
double mean_wait(int slots, double use, std::uint64_t seed) {
  PodQueue pod(1, slots);
  lab::Random random(seed);
  constexpr int kRequests = 1'000'000;
  constexpr double kMeanNs = 1e6;
  double now_ns = 0;
  double waited_ns = 0;
  for (int request = 0; request < kRequests; ++request) {
    now_ns += random.exponential() * kMeanNs / (use * slots);
    const auto at_ns = static_cast<std::int64_t>(now_ns);
    const auto work_ns = static_cast<std::int64_t>(random.exponential() * kMeanNs);
    waited_ns += static_cast<double>(pod.add(at_ns, work_ns) - at_ns - work_ns);
  }
  return waited_ns / kRequests / kMeanNs;
}

TEST(PodQueue, WaitsAsErlangCSays) {
  for (const int slots : {1, 4, 32}) {
    for (const double use : {0.5, 0.8, 0.9}) {
      const double expected = erlang_c(slots, use * slots) / (slots * (1 - use));
      // The mean of a million correlated waits: a few percent, more for rare waits.
      const double error = 0.05 * expected + 0.0005;
      EXPECT_NEAR(mean_wait(slots, use, 7), expected, error) << slots << " slots, " << use;
    }
  }
}

TEST(PodQueue, CountsTheTimeItWorked) {
  PodQueue pod(1, 2);
  EXPECT_EQ(pod.add(0, 100), 100);
  EXPECT_EQ(pod.add(10, 100), 110);
  EXPECT_EQ(pod.add(20, 50), 150);  // starts at 100
  EXPECT_EQ(pod.worked_ns(20), 20 + 10);
  EXPECT_EQ(pod.worked_ns(100), 100 + 90);
  EXPECT_EQ(pod.worked_ns(1000), 250);
  PodQueue half(1, 2);
  half.add(0, 100);
  EXPECT_DOUBLE_EQ(half.cpu_since(0, 100), 0.5);
  EXPECT_DOUBLE_EQ(half.cpu_since(100, 200), 0);
}

TEST(SimNode, WaitsAsPollaczekAndKhinchineSay) {
  SteadyRun run;
  run.config.policy = SimPolicy::kVmOnly;
  run.config.machines.pods = 1;
  run.config.machines.slots = 1;
  run.config.machines.mean_ms = 1;
  run.config.machines.sigma = 0.8;
  constexpr double kUse = 0.8;
  run.run(kUse * 1000, 1000);
  double waited_us = 0;
  for (const Served& one : run.served.all) {
    waited_us += static_cast<double>(one.done_ns - one.intended_ns) / 1000 - one.work_us;
  }
  // W = lambda E[S^2] / 2 (1 - rho), E[S^2] = E[S]^2 e^(sigma^2)
  const double expected_us = kUse * 1000 * std::exp(0.64) / (2 * (1 - kUse));
  EXPECT_NEAR(waited_us / static_cast<double>(run.served.all.size()), expected_us,
              0.05 * expected_us);
}

TEST(Histogram, RanksAreWithinASlot) {
  Histogram histogram;
  for (std::uint64_t us = 1; us <= 1'000'000; ++us) histogram.add(us);
  EXPECT_EQ(histogram.total(), 1'000'000U);
  for (const double fraction : {0.0001, 0.05, 0.5, 0.95, 1.0}) {
    const double exact = fraction * 1000;
    EXPECT_LE(histogram.rank_ms(fraction), exact);
    EXPECT_GE(histogram.rank_ms(fraction), exact * (1 - 1.0 / 128) - 0.001);
  }
  EXPECT_EQ(Histogram().rank_ms(0.95), 0);
}

TEST(Histogram, AddsUp) {
  Histogram one;
  Histogram other;
  one.add(10);
  other.add(20'000);
  one.add(other);
  EXPECT_EQ(one.total(), 2U);
  EXPECT_DOUBLE_EQ(one.rank_ms(0.5), 0.010);
  EXPECT_NEAR(one.rank_ms(1), 20, 0.2);
}

}  // namespace
}  // namespace flare::eval
