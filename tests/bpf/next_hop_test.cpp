// The way out when it changes under a flow; the rows "way out" have the ways as they stand.
#include "receiver_fixture.h"
#include "support/net_namespace.h"

namespace flare::test {
namespace {

/// Changes the test's network while it lives.
class Meanwhile {
 public:
  Meanwhile(const std::string& change, std::string undo) : undo_(std::move(undo)) { run(change); }
  Meanwhile(const Meanwhile&) = delete;
  Meanwhile& operator=(const Meanwhile&) = delete;
  ~Meanwhile() { run(undo_); }

 private:
  std::string undo_;
};

class NextHop : public EachWay {
 protected:
  std::string ip() const { return v4() ? "ip" : "ip -6"; }
  Meanwhile route(const std::string& kind, const std::string& address, const std::string& rest) {
    const std::string to = address + (v4() ? "/32" : "/128");
    return {ip() + " route add " + kind + " " + to + " " + rest,
            ip() + " route del " + kind + " " + to};
  }
  std::string gateway() const { return v4() ? "192.0.2.254" : "2001:db8::fe"; }
};

TEST_P(NextHop, GoneUnderAFlowDropsItsPackets) {
  bring_about(Given::kSpilledTcp);
  const Packet ack = scene_.segment(TcpFlags::kAck);
  {
    const Meanwhile gone = route("unreachable", scene_.backend_ip(), "");
    expect_dropped(hook(), ack.bytes(), "no-route");
    expect_dropped(FLARE_HOOK_TC_COMPANION, ack.bytes(), "no-route");
  }
  expect_sent(hook(), ack, scene_.to_backend(ack), "spill-known");
}

TEST_P(NextHop, WithForwardingOffIsTheKernelsWork) {
  bring_about(Given::kSpilledTcp);
  const std::string key = v4() ? "net.ipv4.conf.in0.forwarding" : "net.ipv6.conf.in0.forwarding";
  const Meanwhile off("sysctl -qw " + key + "=0", "sysctl -qw " + key + "=1");
  const Packet ack = scene_.segment(TcpFlags::kAck);
  Packet translated = scene_.to_backend(ack);
  translated.src_mac = ack.src_mac;  // the kernel writes them on its way out
  translated.dst_mac = ack.dst_mac;
  if (hook() == FLARE_HOOK_XDP) {
    expect_ignored(hook(), ack.bytes(), "punt-forwarding");
    expect_sent(FLARE_HOOK_TC_COMPANION, ack, translated, "spill-known");
  } else {
    expect_sent(hook(), ack, translated, "spill-known");
  }
}

TEST_P(NextHop, TooSmallForAReplyIsToldToTheBackend) {
  bring_about(Given::kSpilledTcp);
  const Meanwhile narrow = route("", scene_.client_ip(), "via " + gateway() + " mtu lock 1280");
  Packet reply = scene_.reply_segment();
  reply.payload = Bytes(1300, 'x');
  expect_sent(hook(), reply, scene_.too_big(reply), "too-big");
  reply.payload.resize(1000);
  expect_sent(hook(), reply, scene_.to_client(reply), "spill-reply");
}

TEST_P(NextHop, TooSmallForANewDatagramIsToldToTheClient) {
  build(GetParam().family, Path::kSmallMtu);
  Packet large = scene_.datagram();
  large.payload = Bytes(1300, 'x');
  expect_sent(hook(), large, scene_.too_big(large), "too-big");
}

/// XDP sees no super-packets.
class NextHopInTc : public NextHop {};

TEST_P(NextHopInTc, OfASuperPacketIsThatOfItsSegments) {
  build(GetParam().family, Path::kSmallMtu);
  bring_about(Given::kSpilledTcp);
  Packet packet = scene_.segment(TcpFlags::kAck);
  packet.payload = Bytes(3000, 'x');
  Outcome outcome = run_super_packet(packet.bytes(), 1000);
  EXPECT_EQ(outcome.verdict, verdicts(hook()).forward);
  EXPECT_EQ(hex_dump(outcome.bytes), hex_dump(scene_.to_backend(packet).bytes()));
  EXPECT_EQ(tcp_counters().tier[FLARE_TIER_SERVERLESS].packets_in, 2U + 4U)
      << "SYN, ACK, and as many as the kernel says the frame stands for";
  outcome = run_super_packet(packet.bytes(), 1400);
  EXPECT_EQ(hex_dump(outcome.bytes), hex_dump(scene_.too_big(packet).bytes()));
}

/// tc has no companion.
class NextHopInXdp : public NextHop {};

TEST_P(NextHopInXdp, IsFoundByTheCompanionForWhatXdpPunted) {
  build(GetParam().family, Path::kUnknownNeighbour);
  const Packet syn = scene_.segment();
  const Outcome punted = run_packet(hook(), syn);
  EXPECT_EQ(punted.reason, "punt-neighbour");
  EXPECT_EQ(punted.bytes, syn.bytes());
  find_nat();
  expect_sent(FLARE_HOOK_TC_COMPANION, syn, scene_.to_backend(syn), "spill-known");
  const auto counters = tcp_counters();
  EXPECT_EQ(counters.spilled[FLARE_SPILL_SHARE], 1U);
  EXPECT_EQ(counters.tier[FLARE_TIER_SERVERLESS].flows_new, 1U);
  EXPECT_EQ(counters.tier[FLARE_TIER_SERVERLESS].packets_in, 1U) << "counted once, where it ends";
}

INSTANTIATE_TEST_SUITE_P(Ways, NextHop, testing::ValuesIn(kWays), way_name);
INSTANTIATE_TEST_SUITE_P(Ways, NextHopInTc, testing::ValuesIn(ways([](Way way) {
                           return way.hook == FLARE_HOOK_TC_INGRESS;
                         })),
                         way_name);
INSTANTIATE_TEST_SUITE_P(Ways, NextHopInXdp, testing::ValuesIn(ways([](Way way) {
                           return way.hook == FLARE_HOOK_XDP;
                         })),
                         way_name);

}  // namespace
}  // namespace flare::test
