// A spilled flow from its first packet to its last: what leaves is compared whole with the packet
// that a sender with the new addresses would have written.
#include <gtest/gtest.h>

#include "support/datapath_fixture.h"

namespace flare::test {
namespace {

struct Case {
  Family family;
  Protocol protocol;
  flare_hook hook;
};

std::string name_of(const testing::TestParamInfo<Case>& info) {
  return std::string(info.param.family == Family::kV4 ? "V4" : "V6") +
         (info.param.protocol == Protocol::kTcp ? "Tcp" : "Udp") +
         (info.param.hook == FLARE_HOOK_XDP ? "Xdp" : "Tc");
}

const Case kCases[] = {
    {Family::kV4, Protocol::kTcp, FLARE_HOOK_XDP},
    {Family::kV4, Protocol::kTcp, FLARE_HOOK_TC_INGRESS},
    {Family::kV4, Protocol::kUdp, FLARE_HOOK_XDP},
    {Family::kV4, Protocol::kUdp, FLARE_HOOK_TC_INGRESS},
    {Family::kV6, Protocol::kTcp, FLARE_HOOK_XDP},
    {Family::kV6, Protocol::kTcp, FLARE_HOOK_TC_INGRESS},
    {Family::kV6, Protocol::kUdp, FLARE_HOOK_XDP},
    {Family::kV6, Protocol::kUdp, FLARE_HOOK_TC_INGRESS},
};

class Translation : public DatapathTest, public testing::WithParamInterface<Case> {
 protected:
  void SetUp() override {
    DatapathTest::SetUp();
    service_ = make_service(frontend(), GetParam().protocol);
    make_backend(backend());
  }
  flare_hook hook() const { return GetParam().hook; }
  bool v4() const { return GetParam().family == Family::kV4; }
  std::string frontend() const { return v4() ? "192.0.2.1:80" : "[2001:db8::1]:80"; }
  std::string client() const { return v4() ? "198.51.100.7:40000" : "[2001:db8:c::7]:40000"; }
  std::string backend() const { return v4() ? "203.0.113.10:8080" : "[2001:db8:5::10]:8080"; }
  std::string snat(std::uint16_t port) const {
    return (v4() ? "192.0.2.1:" : "[2001:db8::1]:") + std::to_string(port);
  }
  Packet between(const std::string& src, const std::string& dst, std::uint8_t flags) const {
    return GetParam().protocol == Protocol::kTcp ? tcp(src, dst, flags) : udp(src, dst);
  }
  Packet from_client(std::uint8_t flags = TcpFlags::kSyn) const {
    return between(client(), frontend(), flags);
  }
  Packet from_backend(std::uint8_t flags, std::uint16_t port) const {
    return between(backend(), snat(port), flags);
  }
  /// The packet as it must leave: other addresses, one hop less to live, the gateway's MAC.
  Packet sent_on(Packet packet, const std::string& src, const std::string& dst) const {
    packet.src = Endpoint::parse(src)->address;
    packet.sport = Endpoint::parse(src)->port;
    packet.dst = Endpoint::parse(dst)->address;
    packet.dport = Endpoint::parse(dst)->port;
    packet.ttl = static_cast<std::uint8_t>(packet.ttl - 1);
    packet.src_mac = kHostMac;
    packet.dst_mac = kGatewayMac;
    return packet;
  }
  void expect_sent(const Outcome& outcome, const Packet& expected, const char* reason) const {
    EXPECT_EQ(outcome.reason, reason);
    EXPECT_EQ(outcome.verdict, verdicts(hook()).forward);
    EXPECT_EQ(hex_dump(outcome.bytes), hex_dump(expected.bytes()));
  }

  Service service_;
};

TEST_P(Translation, FollowsAFlowBothWaysUntilItSettles) {
  const Packet opening = from_client();
  const Outcome first = run_packet(hook(), opening);
  const std::uint16_t port = nat_port_in_use();
  EXPECT_GE(port, kNatMin);
  EXPECT_LE(port, kNatMax);
  expect_sent(first, sent_on(opening, snat(port), backend()), "spill-new");
  EXPECT_EQ(entries_of_embryos(), 2U);
  EXPECT_EQ(entries_of_flows(), 0U);

  const Packet answer = from_backend(TcpFlags::kSyn | TcpFlags::kAck, port);
  expect_sent(run_packet(hook(), answer), sent_on(answer, frontend(), client()), "spill-reply");

  Packet data = from_client(TcpFlags::kAck | TcpFlags::kPsh);
  data.payload = to_bytes("GET / HTTP/1.1\r\n\r\n");
  expect_sent(run_packet(hook(), data), sent_on(data, snat(port), backend()), "spill-known");
  EXPECT_EQ(entries_of_embryos(), 0U) << "the handshake is done";
  EXPECT_EQ(entries_of_flows(), 2U);

  Packet body = from_backend(TcpFlags::kAck, port);
  body.payload = Bytes(1000, 'x');
  expect_sent(run_packet(hook(), body), sent_on(body, frontend(), client()), "spill-reply");

  const auto counters = service_counters();
  const auto& spilled = counters.tier[FLARE_TIER_SERVERLESS];
  EXPECT_EQ(spilled.packets_in, 2U);
  EXPECT_EQ(spilled.packets_out, 2U);
  EXPECT_EQ(spilled.bytes_in, opening.ip_bytes().size() + data.ip_bytes().size());
  EXPECT_EQ(spilled.bytes_out, answer.ip_bytes().size() + body.ip_bytes().size());
  EXPECT_EQ(spilled.flows_new, 1U);
  EXPECT_EQ(counters.spilled[FLARE_SPILL_SHARE], 1U);
  EXPECT_EQ(counters.handshakes, 1U);
  EXPECT_EQ(counters.tier[FLARE_TIER_VM].packets_in, 0U);
  EXPECT_EQ(maps().backend_totals(1).traffic.packets_in, 2U);
  EXPECT_EQ(maps().admission.read(1).active, 1U);
}

TEST_P(Translation, PutsBackAReservationThatTheLruHasEvicted) {
  run_packet(hook(), from_client());
  const std::uint16_t port = nat_port_in_use();
  const flare_service_key from = service_key(backend(), GetParam().protocol);
  const flare_service_key to = service_key(snat(port), GetParam().protocol);
  const flare_flow_key reverse = {.src = from.addr,
                                  .dst = to.addr,
                                  .sport = from.port,
                                  .dport = to.port,
                                  .proto = from.proto,
                                  .zero = {}};
  ASSERT_TRUE(*maps().embryos.erase(reverse));
  run_packet(hook(), from_client(TcpFlags::kAck));
  const Packet answer = from_backend(TcpFlags::kAck, port);
  expect_sent(run_packet(hook(), answer), sent_on(answer, frontend(), client()), "spill-reply");
  run_packet(hook(), from_client(TcpFlags::kAck));
  EXPECT_EQ(entries_of_flows(), 2U);
  EXPECT_EQ(entries_of_embryos(), 0U);
}

/// UDP has no end that a packet shows, so these are TCP alone.
class TcpTranslation : public Translation {};

TEST_P(TcpTranslation, EndsAFlowAfterAFinFromBothSidesAndStartsAnewOnASyn) {
  run_packet(hook(), from_client());
  const std::uint16_t port = nat_port_in_use();
  run_packet(hook(), from_backend(TcpFlags::kSyn | TcpFlags::kAck, port));
  run_packet(hook(), from_client(TcpFlags::kAck));
  run_packet(hook(), from_client(TcpFlags::kFin | TcpFlags::kAck));
  EXPECT_EQ(maps().admission.read(1).active, 1U) << "half closed is not closed";
  run_packet(hook(), from_backend(TcpFlags::kFin | TcpFlags::kAck, port));
  EXPECT_EQ(maps().admission.read(1).active, 0U);
  EXPECT_EQ(service_counters().tier[FLARE_TIER_SERVERLESS].flows_closed, 1U);
  const Packet last = from_client(TcpFlags::kAck);
  expect_sent(run_packet(hook(), last), sent_on(last, snat(port), backend()), "spill-known");

  service_.value.share = 0;
  service_.put(maps());
  const Packet again = from_client();
  const Outcome fresh = run_packet(hook(), again);
  EXPECT_EQ(fresh.reason, "vm-new") << "a SYN on a closing entry is a new decision";
  EXPECT_EQ(fresh.bytes, again.bytes());
  EXPECT_EQ(entries_of_everything(), 0U);
}

TEST_P(Translation, KeepsAFlowWhereItIsWhateverTheShareBecomes) {
  run_packet(hook(), from_client());
  const std::uint16_t port = nat_port_in_use();
  service_.value.share = 0;
  service_.put(maps());
  const Packet repeated = from_client();
  expect_sent(run_packet(hook(), repeated), sent_on(repeated, snat(port), backend()),
              "spill-known");
}

TEST_P(Translation, TranslatesAnIcmpErrorFromTheBackendSideInsideAndOut) {
  run_packet(hook(), from_client());
  const std::uint16_t port = nat_port_in_use();
  const Packet opening = from_client();
  Packet outside = sent_on(opening, snat(port), backend());
  Packet inside = opening;
  inside.ttl = outside.ttl;
  for (const std::size_t limit : {std::size_t{v4() ? 28U : 48U}, std::size_t{200}}) {
    const Packet error =
        icmp_error(v4() ? "203.0.113.254" : "2001:db8:5::fe", v4() ? "192.0.2.1" : "2001:db8::1",
                   v4() ? 3 : 2, v4() ? 4 : 0, 1280, outside.ip_bytes(limit));
    Packet expected =
        icmp_error(v4() ? "192.0.2.1" : "2001:db8::1", v4() ? "198.51.100.7" : "2001:db8:c::7",
                   v4() ? 3 : 2, v4() ? 4 : 0, 1280, inside.ip_bytes(limit));
    expected.ttl = 63;
    expected.src_mac = kHostMac;
    expected.dst_mac = kGatewayMac;
    expect_sent(run_packet(hook(), error), expected, "spill-icmp");
  }
}

TEST_P(Translation, TranslatesAnIcmpErrorFromTheClientSideInsideAndOut) {
  run_packet(hook(), from_client());
  const std::uint16_t port = nat_port_in_use();
  const Packet answer = from_backend(TcpFlags::kSyn | TcpFlags::kAck, port);
  Packet outside = sent_on(answer, frontend(), client());
  Packet inside = answer;
  inside.ttl = outside.ttl;
  const Packet error =
      icmp_error(v4() ? "198.51.100.7" : "2001:db8:c::7", v4() ? "192.0.2.1" : "2001:db8::1",
                 v4() ? 3 : 1, v4() ? 3 : 4, 0, outside.ip_bytes(80));
  Packet expected =
      icmp_error(v4() ? "192.0.2.1" : "2001:db8::1", v4() ? "203.0.113.10" : "2001:db8:5::10",
                 v4() ? 3 : 1, v4() ? 3 : 4, 0, inside.ip_bytes(80));
  expected.ttl = 63;
  expected.src_mac = kHostMac;
  expected.dst_mac = kGatewayMac;
  expect_sent(run_packet(hook(), error), expected, "spill-icmp");
}

INSTANTIATE_TEST_SUITE_P(Flows, Translation, testing::ValuesIn(kCases), name_of);
INSTANTIATE_TEST_SUITE_P(Flows, TcpTranslation,
                         testing::Values(Case{Family::kV4, Protocol::kTcp, FLARE_HOOK_XDP},
                                         Case{Family::kV4, Protocol::kTcp, FLARE_HOOK_TC_INGRESS},
                                         Case{Family::kV6, Protocol::kTcp, FLARE_HOOK_XDP},
                                         Case{Family::kV6, Protocol::kTcp, FLARE_HOOK_TC_INGRESS}),
                         name_of);

}  // namespace
}  // namespace flare::test
