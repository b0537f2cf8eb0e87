// What rtnetlink says of devices of our own namespace.
#include "kernel/device.h"

#include <net/if.h>

#include "kernel_test.h"
#include "model/address.h"

namespace flare {
namespace {

class DeviceTest : public KernelTest {};

TEST_F(DeviceTest, TellsKindsApart) {
  ASSERT_TRUE(run("ip link add fcbr type bridge && ip link set fc0 mtu 1400"));
  auto veth = find_device("fc0");
  ASSERT_OK(veth);
  ASSERT_TRUE(*veth);
  EXPECT_EQ((*veth)->kind, "veth");
  EXPECT_EQ((*veth)->mtu, 1400U);
  EXPECT_TRUE((*veth)->ethernet);
  EXPECT_TRUE((*veth)->up);
  EXPECT_EQ((*veth)->xdp_program_id, 0U);
  auto bridge = find_device("fcbr");
  ASSERT_OK(bridge);
  EXPECT_EQ((*bridge)->kind, "bridge");
  EXPECT_FALSE((*bridge)->up);
  auto loopback = find_device("lo");
  ASSERT_OK(loopback);
  EXPECT_TRUE((*loopback)->loopback);
  EXPECT_TRUE((*loopback)->ethernet);
}

TEST_F(DeviceTest, FindsNothingUnderAnUnknownName) {
  auto device = find_device("nosuch");
  ASSERT_OK(device);
  EXPECT_FALSE(*device);
}

TEST_F(DeviceTest, ListsTheDevicesOfThisNamespaceOnly) {
  auto devices = list_devices();
  ASSERT_OK(devices);
  std::vector<std::string> names;
  for (const Device& device : *devices) {
    if (device.name.starts_with("fc") || device.name == "lo") names.push_back(device.name);
    EXPECT_NE(device.name, "eth0");
  }
  EXPECT_EQ(names, (std::vector<std::string>{"lo", "fc1", "fc0"}));
}

TEST_F(DeviceTest, KnowsTheWayToAnAddress) {
  ASSERT_TRUE(run("ip address add 192.0.2.1/24 dev fc0 && ip address add 2001:db8::1/64 dev fc1"));
  const auto device_to = [](const char* address) {
    auto device = route_device(Address::parse(address)->raw);
    EXPECT_OK(device);
    return device ? *device : std::nullopt;
  };
  EXPECT_EQ(device_to("192.0.2.99"), ::if_nametoindex("fc0"));
  EXPECT_EQ(device_to("2001:db8::99"), ::if_nametoindex("fc1"));
  EXPECT_EQ(device_to("203.0.113.1"), std::nullopt);
}

}  // namespace
}  // namespace flare
