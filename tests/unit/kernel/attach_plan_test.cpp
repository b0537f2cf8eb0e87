// Where programs run on which device: a table.
#include "kernel/attach_plan.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace flare {
namespace {

struct PlanCase {
  const char* name;
  const char* kind;
  bool loopback;
  flare_attach_mode requested;
  const char* holder;
  flare_attach_mode mode;
  bool may_fall_back;
  const char* why_has;
};

class PlanAttach : public testing::TestWithParam<PlanCase> {};

TEST_P(PlanAttach, ChoosesTheHookForTheDevice) {
  const PlanCase& given = GetParam();
  Device device{.ifindex = 2,
                .name = "dev0",
                .kind = given.kind,
                .mtu = 1500,
                .loopback = given.loopback,
                .ethernet = true,
                .up = true};
  auto plan = plan_attach(device, given.requested, given.holder);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->mode, given.mode);
  EXPECT_EQ(plan->may_fall_back, given.may_fall_back);
  EXPECT_NE(plan->why.find(given.why_has), std::string::npos) << plan->why;
}

INSTANTIATE_TEST_SUITE_P(
    Cases, PlanAttach,
    testing::Values(
        PlanCase{"NicByItself", "", false, FLARE_ATTACH_AUTO, "", FLARE_ATTACH_XDP, true, "NIC"},
        PlanCase{"VethByItself", "veth", false, FLARE_ATTACH_AUTO, "", FLARE_ATTACH_TC, false,
                 "veth device"},
        PlanCase{"Bridge", "bridge", false, FLARE_ATTACH_AUTO, "", FLARE_ATTACH_TC, false,
                 "bridge"},
        PlanCase{"Vlan", "vlan", false, FLARE_ATTACH_AUTO, "", FLARE_ATTACH_TC, false, "vlan"},
        PlanCase{"Bond", "bond", false, FLARE_ATTACH_AUTO, "", FLARE_ATTACH_TC, false, "bond"},
        PlanCase{"Loopback", "", true, FLARE_ATTACH_AUTO, "", FLARE_ATTACH_TC, false, "loopback"},
        PlanCase{"NicWhoseHookIsHeld", "", false, FLARE_ATTACH_AUTO, "'xdp_ids' (program 7)",
                 FLARE_ATTACH_TC, false, "'xdp_ids' (program 7)"},
        PlanCase{"NicToldTc", "", false, FLARE_ATTACH_TC, "", FLARE_ATTACH_TC, false,
                 "configuration"},
        PlanCase{"VethToldXdp", "veth", false, FLARE_ATTACH_XDP, "", FLARE_ATTACH_XDP, false,
                 "configuration"}),
    [](const auto& instance) { return instance.param.name; });

TEST(PlanAttachRefuses, ADeviceWithoutEthernetHeader) {
  Device device{.ifindex = 2, .name = "wg0", .kind = "wireguard", .mtu = 1420};
  auto plan = plan_attach(device, FLARE_ATTACH_AUTO, "");
  ASSERT_FALSE(plan);
  EXPECT_NE(plan.error().message().find("wg0 (wireguard)"), std::string::npos);
}

TEST(XdpRefusal, NamesTheHolderTheDriverOrTheMtu) {
  Device device{.ifindex = 2, .name = "eth0", .kind = "", .mtu = 9000};
  EXPECT_EQ(xdp_refusal(device, EBUSY, "'ids' (program 7)"),
            "the XDP hook is held by 'ids' (program 7)");
  EXPECT_NE(xdp_refusal(device, EOPNOTSUPP, "").find("driver of eth0"), std::string::npos);
  EXPECT_NE(xdp_refusal(device, EINVAL, "").find("MTU is 9000"), std::string::npos);
}

}  // namespace
}  // namespace flare
