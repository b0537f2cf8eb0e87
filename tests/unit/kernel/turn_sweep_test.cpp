// The recount of requests in flight, on real maps.
#include "kernel/turn_sweep.h"

#include <array>

#include "kernel_test.h"

namespace flare {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kNow = 100'000 * kSecond;
constexpr std::uint64_t kSilence = 300 * kSecond;

class TurnSweepTest : public LoadedTest {
 protected:
  /// A connection in slot `set`, whose last packet came `silent_s` ago.
  void add_turn(std::uint32_t set, std::uint32_t service_id, flare_tier tier, bool open,
                std::uint64_t silent_s) {
    maps().turns.visit(set, [&](flare_turn_set& ways) {
      flare_turn& turn = ways.way[set % FLARE_TURN_WAYS];
      turn.tag = set + 1;
      turn.open_ns = open ? kNow - 1000 * kSecond : 0;
      turn.seen_ns = kNow - silent_s * kSecond;
      turn.service_id = service_id;
      turn.tier = static_cast<__u8>(tier);
    });
  }
  void set_in_flight(std::uint32_t service_id, flare_tier tier, std::int64_t count) {
    maps().admission.visit(service_id, [&](flare_admission& admission) {
      admission.in_flight[tier] = static_cast<__u64>(count);
    });
  }
  std::int64_t in_flight(std::uint32_t service_id, flare_tier tier) const {
    return static_cast<std::int64_t>(maps().admission.read(service_id).in_flight[tier]);
  }
};

TEST_F(TurnSweepTest, EndsWhatHasVanishedAndNothingElse) {
  add_turn(1, 1, FLARE_TIER_VM, true, 301);
  add_turn(2, 1, FLARE_TIER_VM, true, 299);
  add_turn(3, 1, FLARE_TIER_VM, false, 1000);
  add_turn(FLARE_TURN_SETS - 1, 2, FLARE_TIER_SERVERLESS, true, 301);
  set_in_flight(1, FLARE_TIER_VM, 2);
  set_in_flight(2, FLARE_TIER_SERVERLESS, 1);
  const TurnReport report = sweep_turns(maps(), kNow, kSilence);
  EXPECT_EQ(report.vanished, 2U);
  EXPECT_EQ(report.open, 1U);
  EXPECT_TRUE(report.corrections.empty());
  EXPECT_EQ(in_flight(1, FLARE_TIER_VM), 1);
  EXPECT_EQ(in_flight(2, FLARE_TIER_SERVERLESS), 0);
  EXPECT_EQ(maps().admission.read(1).vanished, 1U);
  EXPECT_EQ(sweep_turns(maps(), kNow, kSilence).vanished, 0U) << "a second time";
}

TEST_F(TurnSweepTest, CorrectsACountThatIsOff) {
  add_turn(1, 1, FLARE_TIER_VM, true, 1);
  set_in_flight(1, FLARE_TIER_VM, 5);
  set_in_flight(3, FLARE_TIER_SERVERLESS, -2);
  const TurnReport report = sweep_turns(maps(), kNow, kSilence);
  ASSERT_EQ(report.corrections.size(), 2U);
  EXPECT_EQ(report.corrections[0].change, -4);
  EXPECT_EQ(report.corrections[1].service_id, 3U);
  EXPECT_EQ(report.corrections[1].tier, FLARE_TIER_SERVERLESS);
  EXPECT_EQ(report.corrections[1].change, 2);
  EXPECT_EQ(in_flight(1, FLARE_TIER_VM), 1);
  EXPECT_EQ(in_flight(3, FLARE_TIER_SERVERLESS), 0);
}

TEST_F(TurnSweepTest, FreesTheSlotsOfAServiceThatIsGone) {
  add_turn(1, 1, FLARE_TIER_VM, true, 1);
  add_turn(2, 2, FLARE_TIER_VM, true, 1);
  forget_turns(maps(), std::array{1U});
  EXPECT_EQ(maps().turns.read(1).way[1].tag, 0U);
  EXPECT_EQ(maps().turns.read(1).way[1].open_ns, 0U);
  EXPECT_EQ(maps().turns.read(2).way[2].tag, 3U);
}

TEST_F(TurnSweepTest, CountsTheStreamsOfHttp2) {
  add_turn(1, 1, FLARE_TIER_VM, false, 10);
  maps().turns.visit(1, [](flare_turn_set& ways) { ways.way[1].streams = 5; });
  set_in_flight(1, FLARE_TIER_VM, 9);
  EXPECT_EQ(sweep_turns(maps(), kNow, kSilence).open, 5U);
  EXPECT_EQ(in_flight(1, FLARE_TIER_VM), 5) << "corrected";
  const TurnReport report = sweep_turns(maps(), kNow + kSilence, kSilence);
  EXPECT_EQ(report.vanished, 5U);
  EXPECT_EQ(in_flight(1, FLARE_TIER_VM), 0);
  EXPECT_EQ(sweep_turns(maps(), kNow + kSilence, kSilence).vanished, 0U);
}

}  // namespace
}  // namespace flare
