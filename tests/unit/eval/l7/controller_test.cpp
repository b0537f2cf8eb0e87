#include "eval/l7/controller.h"

#include <gtest/gtest.h>

namespace flare::eval {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

/// A proxy whose eight pods are up, and its controller.
class ControllerTest : public testing::Test {
 protected:
  explicit ControllerTest(std::uint64_t lag_s = 0)
      : controller_({.pod_capacity_rps = 50, .lag_ns = lag_s * kSecond, .significance = 0}) {
    counts_.vm_servers_up = 8;
  }

  ControllerState second(std::uint64_t requests) {
    now_ns_ += kSecond;
    counts_.requests += requests;
    return controller_.step(counts_, now_ns_);
  }

  Controller controller_;
  ProxyCounts counts_;
  std::uint64_t now_ns_ = 0;
};

class LaggedControllerTest : public ControllerTest {
 protected:
  LaggedControllerTest() : ControllerTest(5) {}
};

TEST_F(ControllerTest, FirstSampleDecidesNothing) {
  counts_.requests = 100'000;
  const ControllerState state = second(0);
  EXPECT_EQ(state.applied, 0);
  EXPECT_EQ(state.arrivals_rps, 0);
}

TEST_F(ControllerTest, LoadThatFitsSpillsNothing) {
  second(0);
  second(200);
  EXPECT_NEAR(second(400).applied, 1 - 400.0 / 600, 1e-9) << "growth counts on top";
  EXPECT_EQ(second(400).applied, 0) << "no growth, and 400 fit";
}

TEST_F(ControllerTest, ExcessIsOneMinusCapacityOverLoadWithGrowth) {
  second(0);
  second(400);
  const ControllerState state = second(500);
  EXPECT_NEAR(state.applied, 1 - 400.0 / 600, 1e-9);  // 500 and 100 more than before
  EXPECT_NEAR(second(500).applied, 1 - 400.0 / 500, 1e-9);
}

TEST_F(ControllerTest, PodsThatComeAddCapacity) {
  second(0);
  second(500);
  EXPECT_NEAR(second(500).applied, 0.2, 1e-9);
  counts_.vm_servers_up = 10;
  EXPECT_EQ(second(500).applied, 0);
}

TEST_F(ControllerTest, ProxyThatWasStartedAgainIsCountedAnew) {
  second(0);
  second(500);
  counts_.requests = 0;
  const ControllerState after = second(10);
  EXPECT_EQ(after.arrivals_rps, 500) << "nothing is known of the interval of the restart";
  EXPECT_EQ(second(300).arrivals_rps, 300);
}

TEST_F(LaggedControllerTest, ShareIsInForceAfterTheLag) {
  second(0);
  second(400);
  const double wanted = second(500).wanted;
  ASSERT_GT(wanted, 0);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(second(500).applied, 0) << i;
  EXPECT_EQ(second(500).applied, wanted);
}

}  // namespace
}  // namespace flare::eval
