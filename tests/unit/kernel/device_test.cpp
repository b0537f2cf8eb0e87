// What rtnetlink says of devices of our own namespace.
#include "kernel/device.h"

#include "kernel_test.h"

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

}  // namespace
}  // namespace flare
