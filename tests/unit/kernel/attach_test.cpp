// Attaching, replacing in place, changing modes, dead devices, detaching: on real veth devices.
#include <net/if.h>
#include <sys/wait.h>

#include <algorithm>
#include <map>

#include "kernel/device.h"
#include "kernel/links.h"
#include "kernel/tc_filter.h"
#include "kernel_test.h"

namespace flare {
namespace {

constexpr auto kTc = FLARE_ATTACH_TC;
constexpr auto kXdp = FLARE_ATTACH_XDP;

class AttachTest : public LoadedTest {
 protected:
  /// hook -> "via program", for all that is attached.
  std::map<std::string, std::string> attached() const {
    std::map<std::string, std::string> found;
    auto hooks = datapath_->hooks();
    EXPECT_OK(hooks);
    for (const HookState& hook : *hooks) {
      found[hook.interface + " " + hook.hook] = hook.via + " " + hook.program_name;
    }
    return found;
  }
  std::map<std::string, std::uint32_t> program_ids() const {
    std::map<std::string, std::uint32_t> found;
    auto hooks = datapath_->hooks();
    EXPECT_OK(hooks);
    for (const HookState& hook : *hooks) found[hook.hook] = hook.program_id;
    return found;
  }
  static inline const std::map<std::string, std::string> kTcLinks{
      {"fc0 tc-ingress", "link flare_tc_ingress"}, {"fc0 tc-egress", "link flare_tc_egress"}};
  static inline const std::map<std::string, std::string> kXdpLinks{
      {"fc0 xdp", "link flare_xdp"},
      {"fc0 tc-ingress", "link flare_tc_companion"},
      {"fc0 tc-egress", "link flare_tc_egress"}};
  static inline const std::map<std::string, std::string> kClsact{
      {"fc0 tc-ingress", "clsact flare_tc_ingress"}, {"fc0 tc-egress", "clsact flare_tc_egress"}};
};

TEST_F(AttachTest, RunsInTcOnAVethByItself) {
  auto done = datapath_->attach({.name = "fc0"});
  ASSERT_OK(done);
  EXPECT_EQ(done->mode, kTc);
  EXPECT_FALSE(done->replaced);
  EXPECT_EQ(attached(), kTcLinks);
  auto entry = datapath_->maps().interfaces.lookup(::if_nametoindex("fc0"));
  ASSERT_TRUE(entry);
  EXPECT_STREQ(entry->name, "fc0");
  EXPECT_EQ(entry->mode, kTc);
  EXPECT_EQ(entry->requested, FLARE_ATTACH_AUTO);
  EXPECT_NE(std::string(entry->why).find("veth device"), std::string::npos);
  EXPECT_GT(entry->attached_ns, 0U);
}

TEST_F(AttachTest, RunsNativeXdpWithItsCompanionWhereAsked) {
  auto done = datapath_->attach({.name = "fc0", .mode = kXdp});
  ASSERT_OK(done);
  EXPECT_EQ(done->mode, kXdp);
  EXPECT_EQ(attached(), kXdpLinks);
  auto device = find_device("fc0");
  ASSERT_OK(device);
  EXPECT_EQ((*device)->xdp_program_id, datapath_->program_id(FLARE_HOOK_XDP));
  EXPECT_FALSE((*device)->xdp_generic);
}

TEST_F(AttachTest, UsesClsactFiltersWhereAsked) {
  auto done = datapath_->attach({.name = "fc0", .tc = InterfaceConfig::Tc::kClsact});
  ASSERT_OK(done);
  EXPECT_FALSE(done->tcx);
  EXPECT_EQ(attached(), kClsact);
}

struct ChangeCase {
  const char* name;
  InterfaceConfig before;
  InterfaceConfig after;
  int expected;  // 0 tc links, 1 xdp links, 2 clsact
};
void PrintTo(const ChangeCase& given, std::ostream* out) { *out << given.name; }
class AttachChange : public AttachTest, public testing::WithParamInterface<ChangeCase> {};

TEST_P(AttachChange, LeavesOnlyTheNewHooks) {
  ASSERT_OK(datapath_->attach(GetParam().before));
  auto changed = datapath_->attach(GetParam().after);
  ASSERT_OK(changed);
  const std::map<std::string, std::string>* expected[] = {&kTcLinks, &kXdpLinks, &kClsact};
  EXPECT_EQ(attached(), *expected[GetParam().expected]);
  std::uint32_t ifindex = ::if_nametoindex("fc0");
  EXPECT_EQ(find_filter(ifindex, HookPoint::kTcIngress).has_value(), GetParam().expected == 2);
  auto device = find_device("fc0");
  ASSERT_OK(device);
  EXPECT_EQ((*device)->xdp_program_id != 0, GetParam().expected == 1);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, AttachChange,
    testing::Values(
        ChangeCase{"TcToXdp", {"fc0", kTc}, {"fc0", kXdp}, 1},
        ChangeCase{"XdpToTc", {"fc0", kXdp}, {"fc0", kTc}, 0},
        ChangeCase{"TcxToClsact", {"fc0", kTc}, {"fc0", kTc, InterfaceConfig::Tc::kClsact}, 2},
        ChangeCase{"ClsactToTcx", {"fc0", kTc, InterfaceConfig::Tc::kClsact}, {"fc0", kTc}, 0},
        ChangeCase{"XdpToXdp", {"fc0", kXdp}, {"fc0", kXdp}, 1}),
    [](const auto& instance) { return instance.param.name; });

TEST_F(AttachTest, ReplacesInPlaceWhatAnEarlierAgentAttached) {
  ASSERT_OK(datapath_->attach({.name = "fc0", .mode = kXdp}));
  auto before = program_ids();
  auto entry = datapath_->maps().interfaces.lookup(::if_nametoindex("fc0"));
  datapath_.reset();
  auto next = Datapath::load(options_);
  ASSERT_OK(next);
  datapath_.emplace(*std::move(next));
  EXPECT_EQ(program_ids(), before);
  auto done = datapath_->attach({.name = "fc0", .mode = kXdp});
  ASSERT_OK(done);
  EXPECT_TRUE(done->replaced);
  EXPECT_EQ(attached(), kXdpLinks);
  auto after = program_ids();
  EXPECT_EQ(after["xdp"], datapath_->program_id(FLARE_HOOK_XDP));
  EXPECT_EQ(after["tc-ingress"], datapath_->program_id(FLARE_HOOK_TC_COMPANION));
  EXPECT_NE(after["xdp"], before["xdp"]);
  auto again = datapath_->maps().interfaces.lookup(::if_nametoindex("fc0"));
  EXPECT_EQ(again->attached_ns, entry->attached_ns);
}

TEST_F(AttachTest, AttachesAgainToADeviceThatWasMadeAnew) {
  ASSERT_OK(datapath_->attach({.name = "fc0"}));
  std::uint32_t old_index = ::if_nametoindex("fc0");
  ASSERT_TRUE(run("ip link del fc0"));
  auto hooks = datapath_->hooks();
  ASSERT_OK(hooks);
  ASSERT_EQ(hooks->size(), 2U);
  EXPECT_EQ(hooks->front().program_id, 0U);
  auto gone = datapath_->forget_gone();
  ASSERT_OK(gone);
  EXPECT_EQ(*gone, std::vector<std::string>{"fc0"});
  EXPECT_TRUE(attached().empty());
  ASSERT_TRUE(run("ip link add fc0 type veth peer name fc1"));
  ASSERT_OK(datapath_->attach({.name = "fc0"}));
  EXPECT_EQ(attached(), kTcLinks);
  EXPECT_NE(::if_nametoindex("fc0"), old_index);
}

TEST_F(AttachTest, ReplacesADeadLinkUnderTheSameIndex) {
  ASSERT_OK(datapath_->attach({.name = "fc0", .mode = kXdp}));
  std::uint32_t index = ::if_nametoindex("fc0");
  ASSERT_TRUE(run("ip link del fc0 && ip link add fc0 index " + std::to_string(index) +
                  " type veth peer name fc1"));
  auto done = datapath_->attach({.name = "fc0", .mode = kXdp});
  ASSERT_OK(done);
  EXPECT_FALSE(done->replaced);
  EXPECT_EQ(attached(), kXdpLinks);
}

TEST_F(AttachTest, NeverTakesTheXdpHookFromAnotherProgram) {
  LinkPins foreign(links_dir(pin_dir_));
  // Another owner's link: same device, not under our pin name.
  auto placed = foreign.place({::if_nametoindex("fc0"), HookPoint::kXdp},
                              datapath_->program_fd(FLARE_HOOK_XDP));
  ASSERT_OK(placed);
  std::filesystem::remove(links_dir(pin_dir_) / (std::to_string(::if_nametoindex("fc0")) + "-xdp"));
  auto refused = datapath_->attach({.name = "fc0", .mode = kXdp});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("held by 'flare_xdp'"), std::string::npos)
      << refused.error().message();
  EXPECT_TRUE(attached().empty());
}

TEST_F(AttachTest, RefusesAnUnknownInterfaceByName) {
  auto refused = datapath_->attach({.name = "nosuch"});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("no interface 'nosuch'"), std::string::npos);
}

TEST_F(AttachTest, DetachesOneInterfaceAndKeepsTheOther) {
  ASSERT_OK(datapath_->attach({.name = "fc0", .mode = kXdp}));
  ASSERT_OK(datapath_->attach({.name = "fc1"}));
  auto done = datapath_->detach("fc0");
  ASSERT_OK(done);
  EXPECT_TRUE(*done);
  std::map<std::string, std::string> left{{"fc1 tc-ingress", "link flare_tc_ingress"},
                                          {"fc1 tc-egress", "link flare_tc_egress"}};
  EXPECT_EQ(attached(), left);
  EXPECT_FALSE(datapath_->maps().interfaces.lookup(::if_nametoindex("fc0")));
  done = datapath_->detach("fc0");
  ASSERT_OK(done);
  EXPECT_FALSE(*done);
}

TEST_F(AttachTest, DetachesAllThatADeadAgentLeft) {
  ASSERT_OK(datapath_->attach({.name = "fc0", .mode = kXdp}));
  ASSERT_OK(datapath_->attach({.name = "fc1", .tc = InterfaceConfig::Tc::kClsact}));
  auto report = detach_all(pin_dir_);
  ASSERT_OK(report);
  EXPECT_EQ(report->links, 3U);
  EXPECT_EQ(report->filters, 2U);
  EXPECT_EQ(report->maps, map_names().size());
  auto device = find_device("fc0");
  ASSERT_OK(device);
  EXPECT_EQ((*device)->xdp_program_id, 0U);
  EXPECT_FALSE(find_filter(::if_nametoindex("fc1"), HookPoint::kTcIngress));
  EXPECT_FALSE(std::filesystem::exists(pin_dir_));
}

TEST_F(AttachTest, AttachesReplacesAndDetachesWithTwoCapabilities) {
  ASSERT_OK(datapath_->attach({.name = "fc0", .mode = kXdp}));
  pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    // Codes of the step that failed, as a child cannot report to GoogleTest.
    if (!keep_capabilities({CAP_BPF, CAP_NET_ADMIN})) ::_exit(1);
    if (!datapath_->attach({.name = "fc0", .mode = kXdp})) ::_exit(2);
    if (!datapath_->attach({.name = "fc1"})) ::_exit(3);
    if (!datapath_->attach({.name = "lo", .tc = InterfaceConfig::Tc::kClsact})) ::_exit(4);
    std::vector<std::uint32_t> slots{1};
    if (!datapath_->maps().tables.publish(0, FLARE_TIER_SERVERLESS, slots)) ::_exit(5);
    auto hooks = datapath_->hooks();
    if (!hooks || hooks->size() != 7 || !hooks->front().ours) ::_exit(6);
    if (!datapath_->detach("fc0")) ::_exit(7);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0) << "the step that failed";
}

TEST_F(AttachTest, TheDatapathOutlivesTheAgent) {
  ASSERT_OK(datapath_->attach({.name = "fc0"}));
  datapath_.reset();
  auto maps = Maps::open(pin_dir_, Access::kRead);
  ASSERT_OK(maps);
  auto hooks = attached_hooks(pin_dir_, *maps);
  ASSERT_OK(hooks);
  ASSERT_EQ(hooks->size(), 2U);
  EXPECT_NE(hooks->front().program_id, 0U);
  EXPECT_TRUE(hooks->front().ours);
  EXPECT_EQ(hooks->front().program_tag.size(), 16U);
}

}  // namespace
}  // namespace flare
