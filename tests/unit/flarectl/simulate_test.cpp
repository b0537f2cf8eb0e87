// Every way that a first packet can go. The last test asks the kernel whether simulate was right.
#include "flarectl/simulate.h"

#include <linux/if_ether.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>

#include <array>

#include "flarectl_test.h"
#include "kernel/libbpf_options.h"
#include "select.bpf.h"

namespace flare::ctl {
namespace {

class SimulateTest : public FlarectlTest {
 protected:
  void SetUp() override {
    FlarectlTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    web_ = usual_service("web", "192.0.2.10:80", 6, 0);
  }
  void publish() { ASSERT_TRUE(put_service(maps(), web_)); }
  Simulation ask(const char* source = "203.0.113.1:5000", const char* to = "192.0.2.10:80",
                 std::uint8_t protocol = 6) const {
    auto done =
        simulate(maps(), {endpoint(source), endpoint(to), protocol}, MonotonicClock().now_ns());
    EXPECT_OK(done);
    return done ? *done : Simulation{};
  }
  FilledService web_;
};

TEST_F(SimulateTest, PassesWhatIsNoService) {
  Simulation done = ask("203.0.113.1:5000", "192.0.2.10:81");
  EXPECT_EQ(done.verdict, "pass");
  EXPECT_EQ(done.reason, "not-service");
}

TEST_F(SimulateTest, ShareZeroStaysAndShareOneSpills) {
  web_.service.share = 0;
  publish();
  EXPECT_EQ(ask().reason, "vm-new");
  web_.service.share = FLARE_SHARE_ONE;
  publish();
  Simulation done = ask();
  EXPECT_EQ(done.reason, "spill-new");
  EXPECT_TRUE(done.backend == "198.51.100.1:8080" || done.backend == "198.51.100.2:8080");
  EXPECT_EQ(done.snat.rfind("192.0.2.10:", 0), 0U);
}

TEST_F(SimulateTest, AnEmptyBucketSpills) {
  web_.service.share = 0;
  publish();
  maps().admission.set(0, &flare_admission::bucket_time_ns,
                       MonotonicClock().now_ns() + 3600 * kSecondNs);
  EXPECT_EQ(ask().reason, "spill-new");
}

TEST_F(SimulateTest, WithoutTheAgentTheFallbackHolds) {
  web_.service.share = FLARE_SHARE_ONE;
  publish();
  maps().heartbeat.set(0, &flare_heartbeat::beat_ns, 1);
  EXPECT_EQ(ask().reason, "vm-new");
  maps().admission.set(0, &flare_admission::bucket_time_ns,
                       MonotonicClock().now_ns() + 3600 * kSecondNs);
  EXPECT_EQ(ask().reason, "spill-new");
  web_.service.fallback = FLARE_FALLBACK_VM;
  publish();
  EXPECT_EQ(ask().reason, "vm-new");
}

TEST_F(SimulateTest, AsksForThePrefixsShare) {
  web_.service.share = FLARE_SHARE_ONE;
  web_.service.prefix_interval_ns = web_.service.prefix_depth_ns = kSecondNs;
  publish();
  EXPECT_EQ(ask().reason, "spill-new");
  flare_flow_key client{};
  client.src = endpoint("203.0.113.1:5000").address.raw;
  const std::uint32_t slot = prefix_slot(&web_.service, &client, 1);
  maps().spill_prefixes.set(slot, &flare_spill_prefix::time_ns,
                            MonotonicClock().now_ns() + 3600 * kSecondNs);
  EXPECT_EQ(ask().reason, "vm-overload");
  EXPECT_EQ(ask("203.0.113.255:7").reason, "vm-overload") << "of the same /24";
  EXPECT_EQ(ask("203.0.112.1:5000").reason, "spill-new") << "of another";
}

TEST_F(SimulateTest, TheCapCountsWhatIsInFlight) {
  web_.service.share = 0;
  web_.service.cap = 8;
  publish();
  EXPECT_EQ(ask().reason, "vm-new") << "7 are in flight";
  web_.service.cap = 7;
  publish();
  EXPECT_EQ(ask().reason, "spill-new");
}

TEST_F(SimulateTest, TheRampForgetsWhatTheTierHadGrownTo) {
  web_.service.share = FLARE_SHARE_ONE;
  web_.service.ramp_interval_ns = kSecondNs;
  web_.service.ramp_depth_ns = kSecondNs;
  publish();
  const std::uint64_t now = MonotonicClock().now_ns();
  maps().admission.set(0, &flare_admission::active_peak, 100);
  maps().admission.set(0, &flare_admission::ramp_time_ns, now + 3600 * kSecondNs);
  maps().admission.set(0, &flare_admission::last_spill_ns, now);
  EXPECT_EQ(ask().reason, "spill-new");
  maps().admission.set(0, &flare_admission::last_spill_ns, now - 310 * kSecondNs);
  EXPECT_EQ(ask().reason, "vm-overload");
}

TEST_F(SimulateTest, ARefusalGoesByTheOverloadPolicy) {
  web_.service.share = FLARE_SHARE_ONE;
  web_.service.hour_budget = 0;
  publish();
  EXPECT_EQ(ask().reason, "vm-overload");
  web_.service.overload = FLARE_OVERLOAD_REJECT;
  publish();
  EXPECT_EQ(ask().verdict, "reject");
  web_.service.overload = FLARE_OVERLOAD_DROP;
  publish();
  EXPECT_EQ(ask().verdict, "drop");
}

TEST_F(SimulateTest, ObserveSpillsNothing) {
  web_.service.share = FLARE_SHARE_ONE;
  web_.service.policy = FLARE_POLICY_OBSERVE;
  publish();
  EXPECT_EQ(ask().reason, "vm-observed");
}

TEST_F(SimulateTest, NoTableAndBackendsThatAreDownAreNoBackend) {
  web_.service.share = FLARE_SHARE_ONE;
  publish();
  ASSERT_TRUE(put_backend(maps(), 1, "198.51.100.1:8080", 0, 3, FLARE_BACKEND_DOWN));
  ASSERT_TRUE(put_backend(maps(), 2, "198.51.100.2:8080", 0, 1, FLARE_BACKEND_DOWN));
  EXPECT_EQ(ask().reason, "vm-overload");
  ASSERT_OK(maps().tables.withdraw(0, FLARE_TIER_SERVERLESS));
  EXPECT_EQ(ask().reason, "vm-overload");
}

TEST_F(SimulateTest, KnownFlowsAndRepliesFollowTheirEntry) {
  Simulation known = ask("203.0.113.5:40001");
  EXPECT_EQ(known.reason, "spill-known");
  EXPECT_EQ(known.backend, "198.51.100.1:8080");
  Simulation reply = ask("198.51.100.1:8080", "192.0.2.10:10300");
  EXPECT_EQ(reply.reason, "spill-reply");
}

TEST_F(SimulateTest, ChangesNothing) {
  web_.service.share = FLARE_SHARE_ONE;
  publish();
  auto before = maps().admission.read(0);
  auto counted = maps().service_totals(0);
  EXPECT_EQ(ask().reason, "spill-new");
  auto after = maps().admission.read(0);
  auto counted_after = maps().service_totals(0);
  EXPECT_EQ(std::memcmp(&before, &after, sizeof(before)), 0);
  EXPECT_EQ(std::memcmp(&counted, &counted_after, sizeof(counted)), 0);
  EXPECT_EQ(*maps().embryos.count(), 0U);
}

/// A TCP SYN from `source` to the frontend of web.
std::vector<unsigned char> syn_from(const Endpoint& source) {
  struct {
    ethhdr link;
    iphdr ip;
    tcphdr tcp;
  } __attribute__((packed)) frame{};
  frame.link.h_proto = htons(ETH_P_IP);
  frame.ip.version = 4;
  frame.ip.ihl = 5;
  frame.ip.ttl = 64;
  frame.ip.protocol = IPPROTO_TCP;
  frame.ip.tot_len = htons(sizeof(iphdr) + sizeof(tcphdr));
  frame.ip.saddr = source.address.raw.word[3];
  frame.ip.daddr = endpoint("192.0.2.10:80").address.raw.word[3];
  frame.tcp.source = htons(source.port);
  frame.tcp.dest = htons(80);
  frame.tcp.doff = 5;
  frame.tcp.syn = 1;
  const auto* bytes = reinterpret_cast<const unsigned char*>(&frame);
  return {bytes, bytes + sizeof(frame)};
}

TEST_F(SimulateTest, AgreesWithTheKernelOnAThousandFlows) {
  web_.service.bucket_interval_ns = 0;
  web_.service.spend_interval_ns = 0;
  web_.service.ramp_interval_ns = 0;
  publish();
  ASSERT_TRUE(
      run("ip addr add 192.0.2.10/24 dev fc0 && ip route add default via 192.0.2.1 dev fc0 "
          "&& ip neigh add 192.0.2.1 lladdr 02:00:00:00:00:01 dev fc0"));
  std::uint32_t spilled = 0;
  for (std::uint16_t port = 2000; port < 3000; ++port) {
    Endpoint source = endpoint("203.0.113.50:1");
    source.port = port;
    Simulation expected = ask(source.text().c_str());
    maps().heartbeat.set(0, &flare_heartbeat::beat_ns, MonotonicClock().now_ns());
    auto before = maps().service_totals(0);
    auto frame = syn_from(source);
    std::array<unsigned char, 256> out;
    __sk_buff skb{};
    skb.ingress_ifindex = ::if_nametoindex("fc0");
    skb.ifindex = skb.ingress_ifindex;
    struct bpf_test_run_opts opts;
    reset_libbpf_options(opts);
    opts.data_in = frame.data();
    opts.data_size_in = static_cast<__u32>(frame.size());
    opts.data_out = out.data();
    opts.data_size_out = out.size();
    opts.ctx_in = &skb;
    opts.ctx_size_in = sizeof(skb);
    ASSERT_EQ(bpf_prog_test_run_opts(datapath_->program_fd(FLARE_HOOK_TC_INGRESS), &opts), 0);
    auto after = maps().service_totals(0);
    bool went = after.spilled[FLARE_SPILL_SHARE] > before.spilled[FLARE_SPILL_SHARE];
    ASSERT_EQ(expected.verdict, went ? "serverless" : "vm") << source.text();
    if (!went) continue;
    ++spilled;
    flare_flow_key key{};
    key.src = source.address.raw;
    key.dst = endpoint("192.0.2.10:80").address.raw;
    key.sport = htons(port);
    key.dport = htons(80);
    key.proto = 6;
    auto flow = maps().embryos.lookup(key);
    ASSERT_TRUE(flow) << source.text();
    Endpoint backend{Address{flow->peer.src}, ntohs(flow->peer.sport)};
    Endpoint snat{Address{flow->peer.dst}, ntohs(flow->peer.dport)};
    EXPECT_EQ(expected.backend, backend.text());
    EXPECT_EQ(expected.snat, snat.text());
  }
  EXPECT_GT(spilled, 180U);
  EXPECT_LT(spilled, 320U);
}

}  // namespace
}  // namespace flare::ctl
