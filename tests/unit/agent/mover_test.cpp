#include "control/mover.h"

#include <gtest/gtest.h>

#include "control/formula.h"

namespace flare {
namespace {

constexpr std::uint64_t kTenth = 100'000'000;

/// Steps of a tenth of a second with so many requests a second in each tier.
MoveRates settle(Mover& mover, double vm_rps, double serverless_rps, MoveInput input,
                 int steps = 100) {
  input.elapsed_ns = kTenth;
  input.rate = 0.25;
  input.vm_requests = static_cast<std::uint64_t>(vm_rps / 10);
  input.serverless_requests = static_cast<std::uint64_t>(serverless_rps / 10);
  MoveRates rates;
  for (int i = 0; i < steps; ++i) rates = mover.step(input);
  return rates;
}
MoveInput share(double fraction) {
  MoveInput input;
  input.share = share_from_fraction(fraction);
  return input;
}
MoveInput cap(std::int64_t in_flight) {
  MoveInput input;
  input.by_cap = true;
  input.workers = 32;
  input.cap = 48;
  input.in_flight = in_flight;
  return input;
}

TEST(Mover, MovesOutWhileServerlessHasLessThanItsShare) {
  Mover mover;
  const MoveRates rates = settle(mover, 1000, 0, share(0.5));
  EXPECT_NEAR(rates.vm, 250, 250 * 0.2) << "a quarter of the requests' connections a second";
  EXPECT_EQ(rates.serverless, 0);
  EXPECT_FALSE(rates.gated);
  const MoveRates nearly = settle(mover, 5500, 4500, share(0.5));
  EXPECT_NEAR(nearly.vm, 0.25 * 5500 / 2, 150) << "half of that where half of a tenth is missing";
}

TEST(Mover, ComesHomeWhileServerlessHasMore) {
  Mover mover;
  EXPECT_NEAR(settle(mover, 500, 500, share(0.1)).serverless, 125, 125 * 0.2);
  EXPECT_EQ(settle(mover, 500, 500, share(0.1)).vm, 0);
  EXPECT_GT(settle(mover, 990, 10, share(0)).serverless, 0) << "to the last one";
}

TEST(Mover, LetsChanceBe) {
  Mover mover;
  for (const double off : {-0.05, 0.0, 0.05}) {
    const MoveRates rates = settle(mover, 100 - 100 * off, 100 + 100 * off, share(0.5));
    EXPECT_EQ(rates, MoveRates{}) << off;
  }
  EXPECT_EQ(settle(mover, 1000, 0, share(0)), MoveRates{}) << "nothing is wanted, nothing is there";
}

TEST(Mover, ByCapGoesOutAsFastAsItMayAndLeavesTheMomentToTheDatapath) {
  Mover mover;
  const MoveRates rates = settle(mover, 400, 100, cap(50));
  EXPECT_TRUE(rates.gated);
  EXPECT_NEAR(rates.vm, 100, 20);
  EXPECT_EQ(rates.serverless, 0) << "the VM tier is full";
  EXPECT_EQ(settle(mover, 400, 100, cap(26)).serverless, 0) << "or nearly so";
}

TEST(Mover, ByCapComesHomeAsFarAsThereIsRoom) {
  Mover mover;
  const double little = settle(mover, 400, 1000, cap(25)).serverless;
  const double much = settle(mover, 400, 1000, cap(5)).serverless;
  EXPECT_GT(little, 0);
  EXPECT_LT(little, 50) << "room for a tenth of what the VM tier has";
  EXPECT_NEAR(much, 250, 50) << "room for all";
}

TEST(Mover, ByCapKeepsToAFloor) {
  Mover mover;
  MoveInput floor = cap(5);
  floor.share = share_from_fraction(0.3);
  const MoveRates rates = settle(mover, 1000, 0, floor);
  EXPECT_FALSE(rates.gated) << "the floor is not met, cap or no cap";
  EXPECT_GT(rates.vm, 0);
  EXPECT_TRUE(settle(mover, 600, 400, floor).gated);
}

TEST(Mover, DoesNothingWithoutACapOrTime) {
  Mover mover;
  MoveInput input = cap(50);
  input.cap = 0;
  const MoveRates rates = settle(mover, 400, 100, input);
  EXPECT_EQ(rates.vm + rates.serverless, 0);
  EXPECT_EQ(mover.step({}), MoveRates{});
}

}  // namespace
}  // namespace flare
