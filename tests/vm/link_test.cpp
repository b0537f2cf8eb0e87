// Links that lose, repeat, reorder and change packets (netem), and VLANs of one and two tags.
#include <chrono>
#include <thread>

#include "guest_lab.h"

namespace flare::test {
namespace {

constexpr std::size_t kConnections = 20;
constexpr int kNewOnes = 5;

void hold(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

class Links : public GuestLab {
 protected:
  /// What the router sends to the VM and to its client suffers so.
  void worsen(const std::string& how) {
    for (const char* link : {"to-vm", "to-client"})
      lab.in("router", std::string("tc qdisc replace dev ") + link + " root netem " + how);
  }
  /// Packets that the VM's link let through otherwise than they came.
  std::string account() const { return lab.in("router", "tc -s qdisc show dev to-vm"); }

  void expect_delay_alone(const std::string& how, bool with_new_ones) {
    start();
    HeldStreams streams(lab.name("client"), kFrontend, kConnections, 0.01);
    ASSERT_EQ(streams.greeted_by('C'), kConnections);
    const std::uint64_t before = flows();
    worsen(how);
    hold(4);
    int fresh = 0;
    for (int i = 0; with_new_ones && i < kNewOnes; ++i) fresh += ask() == 'C';
    hold(2);
    EXPECT_EQ(flows(), before + static_cast<std::uint64_t>(fresh))
        << "a flow for each connection, and no other\n"
        << lab.ctl("flow list").out << account();
    worsen("delay 0ms");
    hold(3);
    EXPECT_EQ(fresh, with_new_ones ? kNewOnes : 0) << account();
    expect_unharmed(streams);
  }
};

TEST_P(Links, LosingATenthDelaysAlone) { expect_delay_alone("loss 10%", false); }
TEST_P(Links, RepeatingEveryPacketDelaysAlone) { expect_delay_alone("duplicate 100%", true); }
TEST_P(Links, ReorderingDelaysAlone) { expect_delay_alone("delay 20ms reorder 25% 50%", true); }
/// Nothing that was changed on the way is made right again by what we do to its sum.
TEST_P(Links, ChangingAHundredthDelaysAlone) { expect_delay_alone("corrupt 1%", false); }

/// The VM's address moves behind a VLAN of the link that Flare sits on; `tags` from the outermost.
class Vlans : public GuestLab {
 protected:
  void move_behind(const std::string& host, const std::string& link, const std::string& address,
                   bool two_tags) {
    std::string inner = link;
    const auto add = [&](const std::string& protocol, const std::string& id) {
      const std::string name = "v" + id;
      lab.in(host, "ip link add link " + inner + " name " + name + " type vlan protocol " +
                       protocol + " id " + id + " && ip link set " + name + " up && sysctl -qw " +
                       "net.ipv4.conf." + name + ".forwarding=1");
      inner = name;
    };
    lab.in(host, "ip address flush dev " + link);
    // a tag of the sender is to be in the frame, as on a wire, not beside it
    if (GetParam() == Attach::kXdp)
      lab.in(host, "ethtool -K " + link + " txvlan off tx-vlan-stag-hw-insert off");
    if (two_tags) add("802.1ad", "20");
    add("802.1Q", "10");
    // a veth lets pass one tag more than its MTU
    if (two_tags) lab.in(host, "ip link set v10 mtu 1400");
    lab.in(host, "ip address add " + address + "/24 dev " + inner);
  }
  void expect_service(bool two_tags) {
    move_behind("router", "to-vm", "198.51.100.1", two_tags);
    move_behind("vm", "eth0", "198.51.100.10", two_tags);
    lab.in("vm", "ip route replace default via 198.51.100.1");
    start();
    lab.ctl_ok("share set web 0");
    EXPECT_EQ(ask(), 'V');
    lab.ctl_ok("share set web 1");
    EXPECT_EQ(ask(), 'C');
    std::string why;
    EXPECT_TRUE(transfer(lab.name("client"), kFrontend, 1 << 20, 60, &why)) << why;
    EXPECT_EQ(cloud.bytes_received(), std::uint64_t{1} << 20) << "it went to serverless";
  }
};

TEST_P(Vlans, OneTag) { expect_service(false); }
TEST_P(Vlans, TwoTags) { expect_service(true); }

INSTANTIATE_TEST_SUITE_P(Paths, Links, testing::Values(Attach::kTc), attach_name);
INSTANTIATE_TEST_SUITE_P(Paths, Vlans, testing::Values(Attach::kTc), attach_name);

}  // namespace
}  // namespace flare::test
