// What a flow's two entries say of its state and of when it may go.
#include <gtest/gtest.h>

#include "kernel/flow_sweep.h"

namespace flare {
namespace {

constexpr flare_settings settings_of_the_test() {
  flare_settings settings{};
  settings.tcp_handshake_ns = 20;
  settings.tcp_established_ns = 3600;
  settings.tcp_closing_ns = 10;
  settings.tcp_reset_ns = 5;
  settings.udp_unreplied_ns = 30;
  settings.udp_replied_ns = 120;
  return settings;
}
constexpr flare_settings kSettings = settings_of_the_test();

struct AgeCase {
  const char* name;
  __u8 proto;
  __u8 forward;
  __u8 reverse;
  const char* state;
  std::uint64_t life_ns;
};

class FlowAgeTest : public testing::TestWithParam<AgeCase> {};

TEST_P(FlowAgeTest, LivesAsLongAsItsStateFromItsLastPacket) {
  flare_flow forward{};
  forward.peer.proto = GetParam().proto;
  forward.flags = GetParam().forward;
  forward.seen_ns = 1000;
  flare_flow reverse{};
  reverse.flags = GetParam().reverse;
  reverse.seen_ns = 2000;
  FlowAge age = flow_age(forward, &reverse, kSettings);
  EXPECT_EQ(flow_state_word(age.state), GetParam().state);
  EXPECT_EQ(age.used_ns, 2000U);
  EXPECT_EQ(age.expires_ns, 2000 + GetParam().life_ns);
}

constexpr __u8 kTcp = 6;
constexpr __u8 kUdp = 17;
constexpr __u8 kCounted = FLARE_FLOW_COUNTED;

INSTANTIATE_TEST_SUITE_P(
    Cases, FlowAgeTest,
    testing::Values(
        AgeCase{"HandshakeNotDone", kTcp, 0, FLARE_FLOW_REPLIED, "handshake", 20},
        AgeCase{"Established", kTcp, kCounted, kCounted, "established", 3600},
        AgeCase{"FinFromOneSide", kTcp, kCounted | FLARE_FLOW_FIN, kCounted, "established", 3600},
        AgeCase{"FinFromBoth", kTcp, kCounted | FLARE_FLOW_FIN, kCounted | FLARE_FLOW_FIN,
                "closing", 10},
        AgeCase{"ResetFromTheBackend", kTcp, kCounted, kCounted | FLARE_FLOW_RST, "reset", 5},
        AgeCase{"DatagramWithoutAnswer", kUdp, 0, 0, "unreplied", 30},
        AgeCase{"DatagramAnswered", kUdp, kCounted, FLARE_FLOW_REPLIED, "replied", 120}),
    [](const auto& instance) { return instance.param.name; });

TEST(FlowAge, NeverExpiresWhenTheLifeIsEndless) {
  flare_settings endless = kSettings;
  endless.tcp_established_ns = UINT64_MAX;
  flare_flow forward{};
  forward.peer.proto = kTcp;
  forward.flags = kCounted;
  forward.seen_ns = 1000;
  EXPECT_EQ(flow_age(forward, nullptr, endless).expires_ns, UINT64_MAX);
}

}  // namespace
}  // namespace flare
