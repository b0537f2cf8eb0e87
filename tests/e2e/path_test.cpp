// The way between the hosts: smaller links and larger ones, checksums that are finished by the
// sender, neighbours that nobody knows yet, forwarding off.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "e2e/lab.h"
#include "e2e/peers.h"

namespace flare::test {
namespace {

class Path : public testing::TestWithParam<LabCase> {
 protected:
  Path()
      : lab(GetParam().attach),
        vm(lab.name("vm"), frontend(), Protocol::kTcp, 'V'),
        cloud(lab.name("cloud"), backend(), Protocol::kTcp, 'C') {
    lab.configure("  - name: web\n    frontend: \"" + frontend() +
                  "\"\n    policy: formula\n    capacity_rps: 100000\n    min_share: 1\n"
                  "    serverless:\n      - endpoint: \"" +
                  backend() + "\"\n");
  }
  std::string frontend() const {
    return GetParam().v4 ? "198.51.100.10:8080" : "[2001:db8:2::10]:8080";
  }
  std::string backend() const {
    return GetParam().v4 ? "203.0.113.10:9090" : "[2001:db8:3::10]:9090";
  }
  void expect_transfer(std::size_t bytes) {
    std::string why;
    EXPECT_TRUE(transfer(lab.name("client"), frontend(), bytes, 20, &why)) << why;
    EXPECT_EQ(cloud.bytes_received(), bytes) << "it went to serverless";
  }

  /// What the host that flared runs on has received: "bytes" or "packets".
  std::uint64_t received(const std::string& what) const {
    const auto link = nlohmann::json::parse(lab.in("vm", "ip -j -s link show eth0"));
    return link.at(0).at("stats64").at("rx").at(what).get<std::uint64_t>();
  }

  Lab lab;
  EchoServer vm;
  EchoServer cloud;
};

TEST_P(Path, ALargeTransferGoesBothWays) {
  lab.start_agent();
  expect_transfer(32 << 20);
}

TEST_P(Path, ALargeTransferFindsASmallerLinkBehindTheRouter) {
  lab.in("router", "ip link set to-cloud mtu 1300");
  lab.in("cloud", "ip link set eth0 mtu 1300");
  lab.start_agent();
  expect_transfer(8 << 20);
}

TEST_P(Path, ALargeTransferFindsASmallerRouteOnThisHost) {
  const std::string family = GetParam().v4 ? "" : "-6 ";
  const std::string network =
      GetParam().v4 ? "203.0.113.0/24 via 198.51.100.1" : "2001:db8:3::/64 via 2001:db8:2::1";
  lab.in("vm", "ip " + family + "route add " + network + " mtu lock 1300");
  lab.start_agent();
  expect_transfer(8 << 20);
}

/// Beside the test above, whose senders leave sums and segments to the device where tc runs.
TEST_P(Path, ALargeTransferNeedsNoOffloads) {
  for (const char* host : {"client", "vm", "cloud"})
    lab.in(host, "ethtool -K eth0 tx off tso off gso off gro off");
  lab.start_agent();
  expect_transfer(8 << 20);
}

TEST_P(Path, ALargeTransferUsesJumboFrames) {
  for (const char* host : {"client", "vm", "cloud"}) {
    lab.in("router", std::string("ip link set to-") + host + " mtu 9000");
    lab.in(host, "ip link set eth0 mtu 9000");
  }
  lab.start_agent();
  const std::uint64_t bytes = received("bytes"), packets = received("packets");
  expect_transfer(32 << 20);
  ASSERT_GT(received("packets"), packets);
  const std::uint64_t each = (received("bytes") - bytes) / (received("packets") - packets);
  EXPECT_GT(each, 3'000U) << "acknowledgements among them";
  RecordProperty("bytes_a_packet", std::to_string(each));
}

TEST_P(Path, AnUnknownNeighbourCostsNoPacket) {
  lab.start_agent();
  for (int i = 0; i < 5; ++i) {
    lab.in("vm", "ip neigh flush dev eth0");
    EXPECT_EQ(who_answers(lab.name("client"), frontend(), Protocol::kTcp, 0.9), 'C')
        << "a lost SYN would be repeated after one second";
  }
}

TEST_P(Path, ForwardingMayBeOff) {
  lab.in("vm", "sysctl -qw net.ipv4.conf.eth0.forwarding=0 net.ipv6.conf.eth0.forwarding=0");
  lab.start_agent();
  expect_transfer(4 << 20);
}

INSTANTIATE_TEST_SUITE_P(Paths, Path, testing::ValuesIn(kLabCases), lab_case_name);

}  // namespace
}  // namespace flare::test
