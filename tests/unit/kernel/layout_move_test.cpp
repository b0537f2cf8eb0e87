// From the pins of another layout to ours: what each step copies, and when the old one goes.
#include "kernel/layout_move.h"

#include <linux/bpf.h>
#include <net/if.h>

#include <map>
#include <utility>

#include "flare/abi.h"
#include "kernel/links.h"
#include "kernel/pin_dir.h"
#include "kernel/typed_map.h"
#include "kernel_test.h"
#include "made_types.h"

namespace flare {
namespace {

namespace fs = std::filesystem;

/// A flow of the old layout, whose fields ours has the other way round.
struct Old {
  std::uint32_t a, b;
};
struct Ours {
  std::uint32_t b, a;
  bool operator==(const Ours&) const = default;
};
using OldFlows = TypedMap<std::uint32_t, Old>;
using OurFlows = TypedMap<std::uint32_t, Ours>;
using Entries = std::map<std::uint32_t, std::pair<std::uint32_t, std::uint32_t>>;

/// Both layouts with a map of flows each, as they are once ours has been made.
class LayoutMoveTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    old_ = pin_dir_ / ("v" + std::to_string(FLARE_ABI_VERSION - 1));
    ASSERT_TRUE(fs::create_directories(links_dir(pin_dir_)));
    const Types old_types = object_with({{"a", 4, 0}, {"b", 4, 4}}, sizeof(Old), "flows");
    ASSERT_OK(describe_layout(pin_dir_, *old_types));
    fs::rename(layout_dir(pin_dir_), old_);
    pin_flows(old_, kRoom);
    ASSERT_TRUE(fs::create_directories(links_dir(pin_dir_)));
    ASSERT_OK(describe_layout(pin_dir_, *types_));
  }
  void TearDown() override {
    if (!pin_dir_.empty()) fs::remove_all(pin_dir_);
  }

  static void pin_flows(const fs::path& dir, std::uint32_t room) {
    const UniqueFd map =
        make_map(BPF_MAP_TYPE_HASH, sizeof(std::uint32_t), sizeof(Old), room, BPF_F_NO_PREALLOC);
    ASSERT_EQ(bpf_obj_pin(map.get(), (dir / "flows").c_str()), 0);
  }
  /// What the old programs write.
  void write_old(std::uint32_t key, Old flow) const {
    auto flows = OldFlows::open(old_ / "flows", Access::kReadWrite);
    ASSERT_OK(flows);
    ASSERT_OK(flows->update(key, flow));
  }
  /// What ours write.
  void write(std::uint32_t key, Ours flow) const {
    auto flows = OurFlows::open(layout_dir(pin_dir_) / "flows", Access::kReadWrite);
    ASSERT_OK(flows);
    ASSERT_OK(flows->update(key, flow));
  }
  /// `a` and `b` of each of our flows.
  Entries flows() const {
    Entries found;
    auto flows = OurFlows::open(layout_dir(pin_dir_) / "flows", Access::kRead);
    EXPECT_OK(flows);
    EXPECT_OK(flows->for_each([&found](std::uint32_t key, const Ours& flow) {
      found[key] = {flow.a, flow.b};
    }));
    return found;
  }

  static constexpr std::uint32_t kRoom = 8;
  const Types types_ = object_with({{"b", 4, 0}, {"a", 4, 4}}, sizeof(Ours), "flows");
  fs::path old_;
};

TEST_F(LayoutMoveTest, AddsWhatWasWrittenSinceAndOverwritesNothing) {
  pin_flows(layout_dir(pin_dir_), kRoom);
  write_old(1, {.a = 10, .b = 11});
  write_old(2, {.a = 20, .b = 21});
  auto copied = copy_layout(old_, pin_dir_, *types_, Written::kByDatapath);
  ASSERT_OK(copied);
  EXPECT_EQ(*copied, 2U);
  EXPECT_EQ(flows(), (Entries{{1, {10, 11}}, {2, {20, 21}}}));

  write(1, {.b = 99, .a = 98});
  write_old(3, {.a = 30, .b = 31});
  auto left = leave_layout(old_, pin_dir_, *types_);
  ASSERT_OK(left);
  EXPECT_TRUE(*left);
  EXPECT_EQ(flows(), (Entries{{1, {98, 99}}, {2, {20, 21}}, {3, {30, 31}}}));
  EXPECT_FALSE(fs::exists(old_));
}

TEST_F(LayoutMoveTest, IntoAFullMapFailsBeforeItIsInForceAndNotAfter) {
  pin_flows(layout_dir(pin_dir_), 1);
  write_old(1, {.a = 10, .b = 11});
  write_old(2, {.a = 20, .b = 21});
  const auto copied = copy_layout(old_, pin_dir_, *types_, Written::kByDatapath);
  ASSERT_FALSE(copied) << "the old one, which has all of them, stays in force";
  EXPECT_NE(copied.error().message().find("map 'flows'"), std::string::npos)
      << copied.error().message();
  EXPECT_TRUE(fs::exists(old_ / "flows"));

  auto left = leave_layout(old_, pin_dir_, *types_);
  ASSERT_OK(left);
  EXPECT_TRUE(*left);
  EXPECT_EQ(flows().size(), 1U);
  EXPECT_FALSE(fs::exists(old_));
}

TEST_F(LayoutMoveTest, LeavesNothingThatIsAttached) {
  pin_flows(layout_dir(pin_dir_), kRoom);
  bpf_insn pass[2]{};
  pass[0].code = BPF_ALU64 | BPF_MOV | BPF_K;
  pass[0].imm = XDP_PASS;
  pass[1].code = BPF_JMP | BPF_EXIT;
  const UniqueFd program(
      bpf_prog_load(BPF_PROG_TYPE_XDP, "flare_test", "GPL", pass, std::size(pass), nullptr));
  ASSERT_TRUE(program);
  const LinkPins links(old_ / "links");
  const LinkPins::Name name{::if_nametoindex("fc0"), HookPoint::kXdp};
  ASSERT_OK(links.place(name, program.get()));
  write_old(1, {.a = 10, .b = 11});
  auto left = leave_layout(old_, pin_dir_, *types_);
  ASSERT_OK(left);
  EXPECT_FALSE(*left);
  EXPECT_TRUE(fs::exists(old_ / "flows"));
  EXPECT_TRUE(links.has(name));
  EXPECT_EQ(flows(), Entries{}) << "flows of programs that still run are copied when they do not";

  ASSERT_TRUE(run("ip link del fc0"));
  left = leave_layout(old_, pin_dir_, *types_);
  ASSERT_OK(left);
  EXPECT_TRUE(*left) << "a link without its interface is attached nowhere";
  EXPECT_EQ(flows(), (Entries{{1, {10, 11}}}));
  EXPECT_FALSE(fs::exists(old_));
}

}  // namespace
}  // namespace flare
