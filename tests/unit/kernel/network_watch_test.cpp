// Changes of the network as events, in a namespace of the test's own.
#include "loop/network_watch.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <chrono>

#include "host/host_addresses.h"
#include "kernel_test.h"

namespace flare {
namespace {

class NetworkWatchTest : public testing::Test {
 protected:
  void SetUp() override {
    FLARE_NEEDS_ROOT();
    ASSERT_EQ(::unshare(CLONE_NEWNET), 0);
    ASSERT_TRUE(run("ip link set lo up"));
    auto loop = EventLoop::make();
    ASSERT_TRUE(loop);
    loop_.emplace(*std::move(loop));
    auto watch = NetworkWatch::on(*loop_, [this](NetworkChange change) {
      ++calls_;
      seen_.links = seen_.links || change.links;
      seen_.addresses = seen_.addresses || change.addresses;
    });
    ASSERT_TRUE(watch) << watch.error().message();
    watch_ = *std::move(watch);
  }
  void TearDown() override { watch_.reset(); }

  /// What was told of all that happened until now.
  NetworkChange told() {
    seen_ = {};
    calls_ = 0;
    EXPECT_TRUE(loop_->turn(200));
    return seen_;
  }

  std::optional<EventLoop> loop_;
  std::unique_ptr<NetworkWatch> watch_;
  NetworkChange seen_;
  int calls_ = 0;
};

TEST_F(NetworkWatchTest, TellsOfInterfacesAndAddresses) {
  EXPECT_FALSE(told().links) << "nothing happened";
  ASSERT_TRUE(run("ip link add veth5 type veth peer name peer5"));
  EXPECT_TRUE(told().links);
  EXPECT_EQ(calls_, 1) << "once for all of it";
  ASSERT_TRUE(run("ip link set veth5 name veth6"));
  EXPECT_TRUE(told().links);
  ASSERT_TRUE(run("ip address add 192.0.2.7/24 dev veth6"));
  NetworkChange change = told();
  EXPECT_TRUE(change.addresses);
  EXPECT_FALSE(change.links);
  ASSERT_TRUE(run("ip -6 address add 2001:db8::7/64 dev veth6"));
  EXPECT_TRUE(told().addresses);
  ASSERT_TRUE(run("ip address del 192.0.2.7/24 dev veth6"));
  EXPECT_TRUE(told().addresses);
  ASSERT_TRUE(run("ip link del veth6"));
  EXPECT_TRUE(told().links);
  ASSERT_TRUE(run("ip route add 198.51.100.0/24 dev lo"));
  told();
  EXPECT_EQ(calls_, 0) << "routes are nobody's business here";
}

TEST_F(NetworkWatchTest, TellsOfAllWhereThereWasNoRoom) {
  const int least = 1;
  ASSERT_EQ(::setsockopt(watch_->fd(), SOL_SOCKET, SO_RCVBUF, &least, sizeof(least)), 0);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(run("ip link add room" + std::to_string(i) + " type veth"));
  }
  const NetworkChange change = told();
  EXPECT_TRUE(change.links);
  EXPECT_TRUE(change.addresses) << "no address changed, but one may have";
  ASSERT_TRUE(run("ip link del room0"));
  EXPECT_TRUE(told().links) << "it goes on";
}

TEST_F(NetworkWatchTest, TheAddressesOfThisHostAreThoseOfItsNamespace) {
  ASSERT_TRUE(run("ip link add veth5 type veth peer name peer5"));
  ASSERT_TRUE(run("ip address add 192.0.2.7/24 dev veth5"));
  ASSERT_TRUE(run("ip -6 address add 2001:db8::7/64 dev veth5 nodad"));
  auto addresses = read_host_addresses();
  ASSERT_TRUE(addresses);
  EXPECT_TRUE(addresses->contains(*Address::parse("192.0.2.7")));
  EXPECT_TRUE(addresses->contains(*Address::parse("2001:db8::7")));
  EXPECT_TRUE(addresses->contains(*Address::parse("127.0.0.1")));
  EXPECT_FALSE(addresses->contains(*Address::parse("192.0.2.8")));
  ASSERT_TRUE(run("ip address del 192.0.2.7/24 dev veth5"));
  EXPECT_FALSE(read_host_addresses()->contains(*Address::parse("192.0.2.7")));
}

}  // namespace
}  // namespace flare
