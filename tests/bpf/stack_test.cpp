// Flows whose packets are translated and then left to this host's own stack: to a backend on this
// host (balancer), or wherever the host's routing leads (sender). Their replies are met at tc
// egress.
#include "receiver_fixture.h"

namespace flare::test {
namespace {

class ToStack : public EachWay {
 protected:
  void SetUp() override {
    ReceiverTest::SetUp();
    stand_at(Stand::kBalancerPlain);
    build(GetParam().family);
  }
  void make_local() {
    for (std::uint32_t id : {1U, 2U}) {
      auto backend = maps().backends.lookup(id);
      ASSERT_TRUE(backend);
      backend->flags = FLARE_BACKEND_LOCAL;
      ASSERT_TRUE(maps().backends.update(id, *backend));
    }
  }
  void make_sender() {
    adjust([](flare_service& service) { service.placement = FLARE_PLACEMENT_SENDER; });
  }
  /// `packet` with other addresses, and nothing else changed.
  static Packet readdressed(Packet packet, const std::string& src, const std::string& dst) {
    const auto from = *Endpoint::parse(src), to = *Endpoint::parse(dst);
    packet.src = from.address;
    packet.sport = from.port;
    packet.dst = to.address;
    packet.dport = to.port;
    return packet;
  }
  void expect_passed_as(const Outcome& outcome, flare_hook at, const Packet& expected,
                        const std::string& reason) {
    EXPECT_EQ(outcome.reason, reason);
    EXPECT_EQ(outcome.verdict, verdicts(at).pass);
    EXPECT_EQ(hex_dump(outcome.bytes), hex_dump(expected.bytes()));
  }
  void expect_in(const Packet& packet, const Packet& expected, const std::string& reason) {
    expect_passed_as(run_packet(hook(), packet), hook(), expected, reason);
  }
  void expect_out(const Packet& packet, const Packet& expected, const std::string& reason,
                  std::uint32_t came_by = 0) {
    expect_passed_as(run_egress(packet.bytes(), came_by), FLARE_HOOK_TC_EGRESS, expected, reason);
  }
  Packet to_backend_here(const Packet& packet) const {
    return readdressed(packet, scene_.client(),
                       scene_.backend(static_cast<Protocol>(packet.protocol)));
  }
  Packet to_client_here(const Packet& packet) const {
    return readdressed(packet, scene_.frontend(static_cast<Protocol>(packet.protocol)),
                       scene_.client());
  }
  Packet answer(std::uint8_t flags) const { return tcp(scene_.backend(), scene_.client(), flags); }
  void handshake() {
    const Packet syn = scene_.segment();
    expect_in(syn, to_backend_here(syn), "forward-new");
    const Packet accepted = answer(TcpFlags::kSyn | TcpFlags::kAck);
    expect_out(accepted, to_client_here(accepted), "forward-reply");
    const Packet ack = scene_.segment(TcpFlags::kAck);
    expect_in(ack, to_backend_here(ack), "forward-known");
    EXPECT_EQ(entries_of_flows(), 2U);
  }
};

TEST_P(ToStack, ALocalBackendSeesTheClientAndItsRepliesAreMetOnTheirWayOut) {
  make_local();
  handshake();
  EXPECT_EQ(tcp_counters().tier[FLARE_TIER_VM].flows_new, 1U);
  EXPECT_EQ(tcp_counters().tier[FLARE_TIER_VM].packets_out, 1U);
  EXPECT_EQ(maps().backend_totals(1).accepted, 1U);
}

TEST_P(ToStack, ALocalBackendSeesTheClientWhateverTheSnatMode) {
  make_local();
  adjust([](flare_service& service) { service.snat_mode = FLARE_SNAT_ALWAYS; });
  handshake();
}

TEST_P(ToStack, TheLastHopIsNotCountedAgain) {
  make_local();
  Packet syn = scene_.segment();
  syn.ttl = 1;
  expect_in(syn, to_backend_here(syn), "forward-new");
}

TEST_P(ToStack, RequestsAreCountedInBothDirections) {
  make_local();
  handshake();
  Packet request = scene_.segment(TcpFlags::kAck);
  request.seq = 1001;
  request.payload = to_bytes("GET /");
  expect_in(request, to_backend_here(request), "forward-known");
  EXPECT_EQ(maps().backend_loads.read(1).in_flight, 1U);
  Packet reply = answer(TcpFlags::kAck);
  reply.seq = 1001;
  reply.payload = to_bytes("200 OK");
  expect_out(reply, to_client_here(reply), "forward-reply");
  EXPECT_EQ(maps().backend_loads.read(1).in_flight, 0U);
  EXPECT_EQ(tcp_counters().tier[FLARE_TIER_VM].answers, 1U);
}

TEST_P(ToStack, UdpAndItsFragmentsGoAndComeAlike) {
  make_local();
  const Packet first = Scene::first_fragment(scene_.datagram());
  expect_in(first, to_backend_here(first), "forward-new");
  const Packet later = Scene::later_fragment(first, 16, 8);
  expect_in(later, to_backend_here(later), "forward-fragment");
  const Packet reply =
      Scene::first_fragment(udp(scene_.backend(Protocol::kUdp), scene_.client(), "world"), 78);
  expect_out(reply, to_client_here(reply), "forward-reply");
  const Packet rest = Scene::later_fragment(reply, 16, 8);
  expect_out(rest, to_client_here(rest), "forward-fragment");
}

TEST_P(ToStack, AnIcmpErrorOfALocalBackendSpeaksOfTheService) {
  make_local();
  const Packet datagram = scene_.datagram();
  expect_in(datagram, to_backend_here(datagram), "forward-new");
  const auto unreachable = [&](const Packet& about) {
    return icmp_error(about.dst.text(), scene_.client_ip(), v4() ? 3 : 1, v4() ? 3 : 4, 0,
                      about.ip_bytes());
  };
  expect_out(unreachable(to_backend_here(datagram)), unreachable(datagram), "forward-icmp");
}

TEST_P(ToStack, ASenderLeavesTheWayToItsHost) {
  make_sender();
  handshake();
  // the backend's reply is routed to the client's interface
  const Packet reply = answer(TcpFlags::kAck);
  expect_out(reply, to_client_here(reply), "forward-reply", static_cast<std::uint32_t>(ifindex()));
  // or a backend behind another of our interfaces sends it
  expect_in(reply, to_client_here(reply), "forward-reply");
}

TEST_P(ToStack, ASenderSpillsWithoutAnAddressOfItsOwn) {
  make_sender();
  const std::string cloud = scene_.at(v4() ? "203.0.113.7" : "2001:db8:5::7", 8080);
  make_backend(cloud, 4, kTcpService, FLARE_TIER_SERVERLESS);
  adjust([](flare_service& service) { service.share = FLARE_SHARE_ONE; });
  expect_in(scene_.segment(), readdressed(scene_.segment(), scene_.client(), cloud), "spill-new");
  const Packet reply = tcp(cloud, scene_.client(), TcpFlags::kSyn | TcpFlags::kAck);
  expect_out(reply, to_client_here(reply), "spill-reply");
}

TEST_P(ToStack, APodThatIsItsOwnBackendSeesTheService) {
  make_sender();
  const Packet syn = tcp(scene_.at(scene_.backend_ip(), 50000), scene_.frontend());
  const Outcome outcome = run_packet(hook(), syn);
  find_nat();
  EXPECT_TRUE(scene_.nat_ip == scene_.host_ip() || scene_.nat_ip == scene_.other_nat_ip());
  expect_passed_as(outcome, hook(), readdressed(syn, scene_.nat(), scene_.backend()),
                   "forward-new");
  const Packet reply = scene_.reply_segment(TcpFlags::kSyn | TcpFlags::kAck);
  expect_in(reply, readdressed(reply, scene_.frontend(), scene_.at(scene_.backend_ip(), 50000)),
            "forward-reply");
}

TEST_P(ToStack, ASenderLeavesAMalformedPacketToTheStack) {
  make_sender();
  expect_ignored(hook(), scene_.segment(TcpFlags::kSyn | TcpFlags::kFin).bytes(), "bad-tcp-flags");
}

TEST_P(ToStack, WhatIsNoReplyLeavesAsItIs) {
  make_local();
  handshake();
  const Packet stranger = tcp(scene_.backend(), scene_.client(40001), TcpFlags::kAck);
  expect_out(stranger, stranger, "not-service");
  const Packet request = scene_.segment(TcpFlags::kAck);
  expect_out(request, request, "not-service");
}

INSTANTIATE_TEST_SUITE_P(Ways, ToStack, testing::ValuesIn(kWays), way_name);

}  // namespace
}  // namespace flare::test
