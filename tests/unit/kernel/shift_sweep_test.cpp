// Entries of connections with a GOAWAY in them, on real maps.
#include "kernel/shift_sweep.h"

#include "kernel_test.h"

namespace flare {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kNow = 100'000 * kSecond;

class ShiftSweepTest : public LoadedTest {
 protected:
  void SetUp() override {
    LoadedTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    flare_settings settings{};
    settings.tcp_closing_ns = 60 * kSecond;
    settings.tcp_established_ns = 3600 * kSecond;
    ASSERT_OK(maps().settings.update(0, settings));
  }
  void add(std::uint16_t port, std::uint32_t ended, std::uint64_t silent_s) {
    flare_flow_key key{};
    key.sport = port;
    flare_shift shift{};
    shift.service_id = 1;
    shift.ended = ended;
    shift.seen_ns = kNow - silent_s * kSecond;
    ASSERT_OK(maps().shifts.update(key, shift));
    maps().admission.visit(1, [](flare_admission& admission) { ++admission.shifts; });
  }
  bool has(std::uint16_t port) const {
    flare_flow_key key{};
    key.sport = port;
    return maps().shifts.lookup(key).has_value();
  }
};

TEST_F(ShiftSweepTest, RemovesWhatHasEndedAndWasSilent) {
  add(1, 3, 61);
  add(2, 3, 59);
  add(3, 1, 61);
  add(4, 0, 3601);
  auto removed = sweep_shifts(maps(), kNow);
  ASSERT_OK(removed);
  EXPECT_EQ(*removed, 2U);
  EXPECT_FALSE(has(1)) << "FIN of both";
  EXPECT_TRUE(has(2)) << "its last segments may be sent again";
  EXPECT_TRUE(has(3)) << "half closed";
  EXPECT_FALSE(has(4)) << "nothing was heard of it for an hour";
  EXPECT_EQ(maps().admission.read(1).shifts, 2U);
}

}  // namespace
}  // namespace flare
