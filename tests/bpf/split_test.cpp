// The share of new flows that spills, counted over 100,000 flows, and that raising it moves only
// those at the margin.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>

#include "receiver_fixture.h"

namespace flare::test {
namespace {

constexpr int kFlows = 100'000;

class Split : public ReceiverTest {
 protected:
  /// Sends `kFlows` SYNs of different clients under `share`; returns which of them were spilled.
  /// The policy is observe: the decision is the same, and nothing is kept of 100,000 flows.
  std::set<int> spilled(Family family, double share) {
    build(family);
    forget_packets();
    adjust([share](flare_service& service) {
      service.share = static_cast<std::uint64_t>(std::llround(share * double{FLARE_SHARE_ONE}));
      service.policy = FLARE_POLICY_OBSERVE;
    });
    std::set<int> found;
    Bytes frame = scene_.segment().bytes();
    const std::size_t address = scene_.v4() ? 29 : 37;  // last byte of the client's address
    const std::size_t port = scene_.v4() ? 34 : 54;
    for (int i = 0; i < kFlows; ++i) {
      frame[address] = static_cast<std::uint8_t>(i >> 16);
      frame[port] = static_cast<std::uint8_t>(i >> 8);
      frame[port + 1] = static_cast<std::uint8_t>(i);
      const auto before = observed();
      run_quietly(FLARE_HOOK_XDP, frame);
      if (observed() != before) found.insert(i);
    }
    return found;
  }

 private:
  std::uint64_t observed() const {
    std::uint64_t sum = 0;
    for (std::uint32_t cpu = 0; cpu < maps().cpus(); ++cpu)
      sum += maps()
                 .service_counters.read(cpu * maps().services_max() + kTcpService)
                 .observed[FLARE_SPILL_SHARE];
    return sum;
  }
};

TEST_F(Split, IsTheShareWithinThreeStandardDeviations) {
  for (const Family family : {Family::kV4, Family::kV6}) {
    std::set<int> smaller;
    for (const double share : {0.0, 1.0 / 1024, 0.1, 0.5, 1.0}) {
      SCOPED_TRACE(family_name(family) + " share " + std::to_string(share));
      const std::set<int> now = spilled(family, share);
      const double expected = share * kFlows;
      const double deviation = std::sqrt(kFlows * share * (1 - share));
      EXPECT_NEAR(static_cast<double>(now.size()), expected, 3 * deviation);
      std::printf("  %s share %.5f: %zu of %d spilled (expected %.0f, deviation %.1f)\n",
                  family_name(family).c_str(), share, now.size(), kFlows, expected, deviation);
      EXPECT_TRUE(std::includes(now.begin(), now.end(), smaller.begin(), smaller.end()))
          << "raising the share took a flow back";
      smaller = now;
    }
  }
}

TEST_F(Split, ReallySpillsWhatTheShareTakes) {
  build(Family::kV4);
  adjust([](flare_service& service) { service.share = FLARE_SHARE_ONE / 2; });
  std::uint64_t spilled = 0, kept = 0;
  for (std::uint16_t port = 1; port <= 1000; ++port) {
    const std::string reason =
        run_packet(FLARE_HOOK_XDP, tcp(scene_.client(port), scene_.frontend())).reason;
    spilled += reason == "spill-new" ? 1U : 0U;
    kept += reason == "vm-new" ? 1U : 0U;
  }
  EXPECT_EQ(spilled + kept, 1000U);
  EXPECT_EQ(tcp_counters().spilled[FLARE_SPILL_SHARE], spilled);
  EXPECT_EQ(tcp_counters().tier[FLARE_TIER_VM].flows_new, kept);
  EXPECT_NEAR(static_cast<double>(spilled), 500, 3 * std::sqrt(250.0));
}

}  // namespace
}  // namespace flare::test
