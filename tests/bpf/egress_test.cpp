// tc egress: counts the VM tier's replies, changes nothing.
#include "receiver_fixture.h"

namespace flare::test {
namespace {

class Egress : public ReceiverTest, public testing::WithParamInterface<Family> {
 protected:
  void SetUp() override {
    ReceiverTest::SetUp();
    build(GetParam());
  }
  void expect_untouched(const Packet& packet, std::uint32_t from, const std::string& reason) {
    const MapImage before = image();
    const Outcome outcome = run_egress(packet.bytes(), from);
    EXPECT_EQ(outcome.reason, reason);
    EXPECT_EQ(outcome.verdict, verdicts(FLARE_HOOK_TC_EGRESS).pass);
    EXPECT_EQ(hex_dump(outcome.bytes), hex_dump(packet.bytes()));
    EXPECT_TRUE(image() == before) << "a map changed";
  }
  Packet reply() const {
    Packet packet = tcp(scene_.frontend(), scene_.client(), TcpFlags::kAck);
    packet.payload = to_bytes("200 OK");
    return packet;
  }
  flare_traffic vm() const { return tcp_counters().tier[FLARE_TIER_VM]; }
};

TEST_P(Egress, CountsTheServersReply) {
  expect_untouched(reply(), 0, "vm-reply");
  EXPECT_EQ(vm().packets_out, 1U);
  EXPECT_EQ(vm().bytes_out, reply().ip_bytes().size());
  Packet reset = reply();
  reset.payload.clear();
  reset.tcp_flags = TcpFlags::kRst;
  expect_untouched(reset, 0, "vm-reply");
  EXPECT_EQ(vm().resets_out, 1U);
  expect_untouched(udp(scene_.frontend(Protocol::kUdp), scene_.client()), 0, "vm-reply");
  EXPECT_EQ(udp_counters().tier[FLARE_TIER_VM].packets_out, 1U);
}

TEST_P(Egress, DoesNotCountATranslatedReplyAsLocal) {
  bring_about(Given::kSpilledTcp);
  expect_untouched(reply(), static_cast<std::uint32_t>(ifindex()), "not-local");
  EXPECT_EQ(vm().packets_out, 0U);
  expect_untouched(reply(), 0, "vm-reply");
  EXPECT_EQ(vm().packets_out, 1U) << "no interface: a local socket sent it";
}

TEST_P(Egress, PassesTheRest) {
  expect_untouched(tcp(scene_.at(scene_.host_ip(), 81), scene_.client(), TcpFlags::kAck), 0,
                   "not-service");
  expect_untouched(udp(scene_.frontend(), scene_.client()), 0, "not-service");
  expect_untouched(scene_.error_about(reply()), 0, "not-transport");
  expect_untouched(Scene::later_fragment(Scene::first_fragment(scene_.datagram()), 16, 8), 0,
                   "not-transport");
  Packet arp = reply();
  arp.ether_type = 0x0806;
  expect_untouched(arp, 0, "not-ip");
}

std::string egress_name(const testing::TestParamInfo<Family>& info) {
  return family_name(info.param);
}

INSTANTIATE_TEST_SUITE_P(Families, Egress, testing::Values(Family::kV4, Family::kV6), egress_name);

}  // namespace
}  // namespace flare::test
