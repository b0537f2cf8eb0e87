// What the tables and counters say of a flow from its first packet to its last.
#include <arpa/inet.h>

#include <cstring>

#include "receiver_fixture.h"

namespace flare::test {
namespace {

class FlowState : public EachWay {
 protected:
  flare_flow entry(flare_flow_key key) {
    const auto settled = maps().flows.lookup(key);
    const auto found = settled ? settled : maps().embryos.lookup(key);
    EXPECT_TRUE(found);
    return found.value_or(flare_flow{});
  }
  flare_flow forward() { return entry(key_of(scene_.segment())); }
  flare_flow reverse() { return entry(key_of(scene_.reply_segment())); }
  static flare_flow_key key_of(const Packet& packet) {
    return {.src = packet.src.raw,
            .dst = packet.dst.raw,
            .sport = htons(packet.sport),
            .dport = htons(packet.dport),
            .proto = packet.protocol,
            .zero = {}};
  }
  static bool same(const flare_flow_key& one, const flare_flow_key& other) {
    return std::memcmp(&one, &other, sizeof one) == 0;
  }
  std::uint64_t active() const { return maps().admission.read(kTcpService).active; }
};

TEST_P(FlowState, CountsItsFirstPacketToo) {
  bring_about(Given::kSpilledTcp);
  const std::size_t header = scene_.segment().ip_bytes().size();
  EXPECT_EQ(forward().packets, 2U) << "SYN, ACK";
  EXPECT_EQ(forward().bytes, 2 * header);
  EXPECT_EQ(reverse().packets, 1U);
  EXPECT_EQ(reverse().bytes, header);
}

TEST_P(FlowState, LinksItsTwoEntries) {
  bring_about(Given::kSpilledTcp);
  const flare_flow there = forward(), back = reverse();
  EXPECT_EQ(there.dir, FLARE_DIR_FORWARD);
  EXPECT_EQ(back.dir, FLARE_DIR_REVERSE);
  EXPECT_TRUE(same(there.peer, key_of(scene_.reply_segment())));
  EXPECT_TRUE(same(back.peer, key_of(scene_.segment())));
  EXPECT_EQ(there.backend_id, 1U);
  EXPECT_EQ(there.service_id, kTcpService);
  EXPECT_EQ(there.cause, FLARE_SPILL_SHARE);
}

TEST_P(FlowState, IsActiveUntilFinFromBothSidesOrRst) {
  bring_about(Given::kSpilledTcp);
  EXPECT_EQ(active(), 1U);
  run_packet(hook(), scene_.segment(TcpFlags::kRst));
  EXPECT_EQ(active(), 0U);
  run_packet(hook(), scene_.segment(TcpFlags::kRst));
  run_packet(hook(), scene_.reply_segment(TcpFlags::kRst));
  EXPECT_EQ(active(), 0U) << "one end is counted once";
  EXPECT_EQ(tcp_counters().tier[FLARE_TIER_SERVERLESS].flows_closed, 1U);
  EXPECT_EQ(tcp_counters().tier[FLARE_TIER_SERVERLESS].resets_in, 2U);
  EXPECT_EQ(tcp_counters().tier[FLARE_TIER_SERVERLESS].resets_out, 1U);
}

TEST_P(FlowState, ResetInItsHandshakeIsNeverActive) {
  bring_about(Given::kSpilledSyn);
  run_packet(hook(), scene_.reply_segment(TcpFlags::kSyn | TcpFlags::kAck));
  run_packet(hook(), scene_.reply_segment(TcpFlags::kRst));
  run_packet(hook(), scene_.segment(TcpFlags::kAck));
  EXPECT_EQ(active(), 0U);
  EXPECT_EQ(tcp_counters().tier[FLARE_TIER_SERVERLESS].flows_closed, 1U);
}

TEST_P(FlowState, OfTheVmTierEndsByTheServersFinOrARst) {
  adjust([](flare_service& service) { service.share = 0; });
  const auto closed = [this] { return tcp_counters().tier[FLARE_TIER_VM].flows_closed; };
  run_packet(hook(), scene_.segment());
  run_packet(hook(), scene_.segment(TcpFlags::kFin | TcpFlags::kAck));
  EXPECT_EQ(closed(), 0U) << "the client's FIN is half an end";
  run_egress(tcp(scene_.frontend(), scene_.client(), TcpFlags::kFin | TcpFlags::kAck).bytes(), 0);
  EXPECT_EQ(closed(), 1U);
  run_packet(hook(), scene_.segment(TcpFlags::kRst));
  EXPECT_EQ(closed(), 2U);
  EXPECT_EQ(tcp_counters().tier[FLARE_TIER_VM].resets_in, 1U);
}

TEST_P(FlowState, WithoutARouteLeavesNothingBehind) {
  build(GetParam().family, Path::kNoRoute);
  for (const Packet& packet : {scene_.segment(), scene_.datagram()}) {
    expect_passed(hook(), packet.bytes(), "vm-overload");
    EXPECT_EQ(entries_of_everything(), 0U);
    const auto counters = service_counters(packet.protocol == 6 ? kTcpService : kUdpService);
    EXPECT_EQ(counters.refused[FLARE_REFUSAL_NO_ROUTE], 1U);
    EXPECT_EQ(counters.tier[FLARE_TIER_VM].flows_new, 1U);
    EXPECT_EQ(counters.tier[FLARE_TIER_SERVERLESS].flows_new, 0U);
    EXPECT_EQ(counters.tier[FLARE_TIER_SERVERLESS].flows_closed, 0U);
    EXPECT_EQ(counters.spilled[FLARE_SPILL_SHARE], 0U);
    EXPECT_EQ(run_packet(hook(), packet).reason, "vm-known") << "it stays there";
  }
}

TEST_P(FlowState, IsAnsweredByAResetWhenItsBackendGoesDown) {
  bring_about(Given::kSpilledTcp);
  set_backend_state(FLARE_BACKEND_DOWN);
  Packet data = scene_.segment(TcpFlags::kAck | TcpFlags::kPsh);
  data.ack = 77;
  data.payload = to_bytes("GET / HTTP/1.1\r\n\r\n!");
  expect_sent(hook(), data, scene_.reset(data), "backend-down");
  const Packet ack = scene_.segment(TcpFlags::kAck);
  expect_sent(hook(), ack, scene_.reset(ack), "backend-down");
  expect_dropped(hook(), scene_.segment(TcpFlags::kRst).bytes(), "backend-down");
}

TEST_P(FlowState, MovesToAnotherBackendBySynOrDatagramWhenItsBackendIsDown) {
  bring_about(Given::kSpilledTcp);
  set_backend_state(FLARE_BACKEND_DOWN);
  const std::string spare = scene_.v4() ? "203.0.113.12:8080" : "[2001:db8:5::12]:8080";
  make_backend(spare, 3, kTcpService);
  const Packet syn = scene_.segment();
  const Outcome again = run_packet(hook(), syn);
  find_nat();
  EXPECT_EQ(again.reason, "spill-new");
  EXPECT_EQ(hex_dump(again.bytes), hex_dump(scene_.sent_on(syn, scene_.nat(), spare).bytes()));
  EXPECT_EQ(entries_of_everything(), 2U) << "the old flow is gone";
}

TEST_P(FlowState, OfUdpMovesWhenItsBackendIsDown) {
  bring_about(Given::kSpilledUdp);
  set_backend_state(FLARE_BACKEND_DOWN);
  const Packet datagram = scene_.datagram();
  const Outcome outcome = run_packet(hook(), datagram);
  EXPECT_EQ(outcome.reason, "vm-overload") << "there is no other backend";
  EXPECT_EQ(outcome.bytes, datagram.bytes());
  EXPECT_EQ(udp_counters().refused[FLARE_REFUSAL_NO_BACKEND], 1U);
  EXPECT_EQ(entries_of_everything(), 0U);
}

TEST_P(FlowState, OfUdpMovesWhenItsBackendsIdIsGivenAway) {
  bring_about(Given::kSpilledUdp);
  auto backend = *maps().backends.lookup(2);
  backend.generation++;
  ASSERT_TRUE(maps().backends.update(2, backend));
  EXPECT_EQ(run_packet(hook(), scene_.datagram()).reason, "spill-new");
  EXPECT_EQ(entries_of_everything(), 2U);
}

TEST_P(FlowState, IsKeptByADrainingBackend) {
  bring_about(Given::kSpilledTcp);
  set_backend_state(FLARE_BACKEND_DRAINING);
  const Packet ack = scene_.segment(TcpFlags::kAck);
  expect_sent(hook(), ack, scene_.to_backend(ack), "spill-known");
}

INSTANTIATE_TEST_SUITE_P(Ways, FlowState, testing::ValuesIn(kWays), way_name);

}  // namespace
}  // namespace flare::test
