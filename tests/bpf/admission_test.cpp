// Choosing the tier: the VM tier's bucket, the heartbeat, what is charged and what is not.
#include <chrono>
#include <thread>

#include "base/clock.h"
#include "receiver_fixture.h"

namespace flare::test {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

std::uint64_t now_ns() { return MonotonicClock().now_ns(); }

class Admission : public EachWay {
 protected:
  void SetUp() override {
    EachWay::SetUp();
    adjust([](flare_service& service) { service.share = 0; });
  }
  Packet syn(std::uint16_t port) const { return tcp(scene_.client(port), scene_.frontend()); }
  Packet datagram(std::uint16_t port) const {
    return udp(scene_.client(port), scene_.frontend(Protocol::kUdp));
  }
  std::string reason(const Packet& packet) { return run_packet(hook(), packet).reason; }
  /// A bucket of `tokens` that refills one in `interval_ns`.
  void give_bucket(std::uint64_t tokens, std::uint64_t interval_ns) {
    adjust([=](flare_service& service) {
      service.bucket_interval_ns = interval_ns;
      service.bucket_depth_ns = interval_ns * tokens;
    });
  }
  int vm_flows_among(std::uint16_t first_port, int flows) {
    int count = 0;
    for (int i = 0; i < flows; ++i)
      count += reason(syn(static_cast<std::uint16_t>(first_port + i))) == "vm-new" ? 1 : 0;
    return count;
  }
};

TEST_P(Admission, BucketHoldsExactlyItsDepth) {
  give_bucket(33, 3600 * kSecond);
  EXPECT_EQ(vm_flows_among(1000, 100), 33);
  EXPECT_EQ(tcp_counters().spilled[FLARE_SPILL_BUCKET], 67U);
  EXPECT_EQ(tcp_counters().tier[FLARE_TIER_VM].flows_new, 33U);
  EXPECT_EQ(tcp_counters().tier[FLARE_TIER_SERVERLESS].flows_new, 67U);
}

TEST_P(Admission, BucketRefillsAtItsRate) {
  const std::uint64_t interval = kSecond / 50;
  give_bucket(1, interval);
  const std::uint64_t start = now_ns();
  int taken = 0;
  for (std::uint16_t port = 1000; now_ns() - start < kSecond / 2; ++port) {
    taken += reason(syn(port)) == "vm-new" ? 1 : 0;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  const auto most = static_cast<int>((now_ns() - start) / interval) + 1;
  EXPECT_LE(taken, most) << "the bucket gave more than its rate";
  EXPECT_GE(taken, most / 2) << "a try came every few ms";
}

TEST_P(Admission, BucketIsFullAgainAfterItsDepth) {
  give_bucket(5, 3600 * kSecond);
  EXPECT_EQ(vm_flows_among(1000, 10), 5);
  maps().admission.set(kTcpService, &flare_admission::bucket_time_ns, now_ns() - 1);
  EXPECT_EQ(vm_flows_among(2000, 10), 5);
}

TEST_P(Admission, RepeatedSynIsNoSecondDecision) {
  give_bucket(2, 3600 * kSecond);
  EXPECT_EQ(reason(syn(1000)), "vm-new");
  for (int i = 0; i < 10; ++i) EXPECT_EQ(reason(syn(1000)), "vm-known");
  EXPECT_EQ(reason(syn(1001)), "vm-new") << "the repetitions took no token";
  EXPECT_EQ(reason(syn(1002)), "spill-new");
  for (int i = 0; i < 10; ++i) EXPECT_EQ(reason(syn(1002)), "spill-known");
  EXPECT_EQ(tcp_counters().spilled[FLARE_SPILL_BUCKET], 1U);
  Packet another = syn(1000);
  another.seq += 100'000;
  EXPECT_EQ(reason(another), "spill-new") << "another connection on the same ports";
}

TEST_P(Admission, DatagramsOfOneFlowAreChargedOnce) {
  give_bucket(2, 3600 * kSecond);
  EXPECT_EQ(reason(datagram(1000)), "vm-new");
  for (int i = 0; i < 10; ++i) EXPECT_EQ(reason(datagram(1000)), "vm-known");
  EXPECT_EQ(reason(datagram(1001)), "vm-new");
  EXPECT_EQ(reason(datagram(1002)), "spill-new");
  EXPECT_EQ(udp_counters().tier[FLARE_TIER_VM].flows_new, 2U);
  EXPECT_EQ(udp_counters().tier[FLARE_TIER_VM].packets_in, 12U);
}

TEST_P(Admission, SegmentsWithoutAFlowTakeNoToken) {
  give_bucket(1, 3600 * kSecond);
  for (const std::uint8_t flags : {TcpFlags::kAck, TcpFlags::kRst})
    EXPECT_EQ(reason(tcp(scene_.client(1000), scene_.frontend(), flags)), "vm-known");
  EXPECT_EQ(maps().admission.read(kTcpService).bucket_time_ns, 0U);
}

TEST_P(Admission, ObserveCountsAndTouchesNothing) {
  give_bucket(3, 3600 * kSecond);
  adjust([](flare_service& service) { service.policy = FLARE_POLICY_OBSERVE; });
  for (std::uint16_t port = 1000; port < 1010; ++port) {
    const Bytes frame = syn(port).bytes();
    const Outcome outcome = run_frame(hook(), frame);
    EXPECT_EQ(outcome.bytes, frame);
    EXPECT_EQ(outcome.verdict, verdicts(hook()).pass);
  }
  EXPECT_EQ(tcp_counters().observed[FLARE_SPILL_BUCKET], 7U);
  EXPECT_EQ(tcp_counters().tier[FLARE_TIER_VM].flows_new, 10U);
  EXPECT_EQ(tcp_counters().spilled[FLARE_SPILL_BUCKET], 0U);
  EXPECT_EQ(entries_of_everything(), 0U);
  EXPECT_EQ(maps().admission.read(kTcpService).hour, 0U) << "nothing is spent";
  adjust([](flare_service& service) { service.share = FLARE_SHARE_ONE; });
  EXPECT_EQ(reason(syn(2000)), "vm-observed");
  EXPECT_EQ(tcp_counters().observed[FLARE_SPILL_SHARE], 1U);
}

TEST_P(Admission, ShareHoldsOnlyWhileTheAgentBeats) {
  adjust([](flare_service& service) { service.share = FLARE_SHARE_ONE; });
  EXPECT_EQ(reason(syn(1000)), "spill-new");
  maps().heartbeat.set(0, &flare_heartbeat::beat_ns, now_ns() - 61 * kSecond);
  EXPECT_EQ(reason(syn(1001)), "vm-new");
  EXPECT_EQ(reason(syn(1000)), "spill-known") << "flows stay where they are";
  EXPECT_EQ(tcp_counters().stale_decisions, 1U);
  maps().heartbeat.set(0, &flare_heartbeat::beat_ns, 0);
  EXPECT_EQ(reason(syn(1002)), "vm-new");
  EXPECT_EQ(tcp_counters().stale_decisions, 2U);
  maps().heartbeat.set(0, &flare_heartbeat::beat_ns, now_ns() + kSecond);
  EXPECT_EQ(reason(syn(1003)), "spill-new") << "a beat after the clock was read is fresh";
  beat();
  EXPECT_EQ(reason(syn(1004)), "spill-new");
  EXPECT_EQ(tcp_counters().stale_decisions, 2U);
}

TEST_P(Admission, FallbackBucketSpillsByTheBucketAlone) {
  adjust([](flare_service& service) { service.share = FLARE_SHARE_ONE; });
  give_bucket(2, 3600 * kSecond);
  maps().heartbeat.set(0, &flare_heartbeat::beat_ns, now_ns() - 61 * kSecond);
  EXPECT_EQ(vm_flows_among(1000, 10), 2);
  EXPECT_EQ(tcp_counters().spilled[FLARE_SPILL_BUCKET], 8U);
  EXPECT_EQ(tcp_counters().spilled[FLARE_SPILL_SHARE], 0U);
}

TEST_P(Admission, FallbackVmSpillsNothing) {
  adjust([](flare_service& service) {
    service.share = FLARE_SHARE_ONE;
    service.fallback = FLARE_FALLBACK_VM;
  });
  give_bucket(2, 3600 * kSecond);
  maps().heartbeat.set(0, &flare_heartbeat::beat_ns, now_ns() - 61 * kSecond);
  EXPECT_EQ(vm_flows_among(1000, 10), 10);
  EXPECT_EQ(entries_of_everything(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Ways, Admission, testing::ValuesIn(kWays), way_name);

}  // namespace
}  // namespace flare::test
