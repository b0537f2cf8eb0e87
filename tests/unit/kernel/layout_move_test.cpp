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

  /// Has a program run on fc0, by a link that is pinned there.
  static void attach(const fs::path& dir) {
    bpf_insn pass[2]{};
    pass[0].code = BPF_ALU64 | BPF_MOV | BPF_K;
    pass[0].imm = XDP_PASS;
    pass[1].code = BPF_JMP | BPF_EXIT;
    const UniqueFd program(
        bpf_prog_load(BPF_PROG_TYPE_XDP, "flare_test", "GPL", pass, std::size(pass), nullptr));
    ASSERT_TRUE(program);
    ASSERT_OK(
        LinkPins(dir / "links").place({::if_nametoindex("fc0"), HookPoint::kXdp}, program.get()));
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
  const LinkPins links(old_ / "links");
  const LinkPins::Name name{::if_nametoindex("fc0"), HookPoint::kXdp};
  attach(old_);
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

/// What the agent writes, and what is counted, comes before it starts, and never again.
TEST_F(LayoutMoveTest, CopiesTheAgentsMapsOnce) {
  const auto types = object_with({{"b", 4, 0}, {"a", 4, 4}}, sizeof(Ours), "service_counters");
  const fs::path other = pin_dir_ / ("v" + std::to_string(FLARE_ABI_VERSION + 1));
  ASSERT_TRUE(fs::create_directories(other / "links"));
  ASSERT_TRUE(fs::remove(layout_dir(pin_dir_) / "layout"));
  ASSERT_OK(describe_layout(pin_dir_, *types));
  fs::rename(layout_dir(pin_dir_) / "layout", other / "layout");
  for (const fs::path& dir : {other, layout_dir(pin_dir_)}) {
    const UniqueFd map = make_map(BPF_MAP_TYPE_ARRAY, sizeof(std::uint32_t), sizeof(Ours), 2);
    ASSERT_EQ(bpf_obj_pin(map.get(), (dir / "service_counters").c_str()), 0);
  }
  auto counted = OurFlows::open(other / "service_counters", Access::kReadWrite);
  ASSERT_OK(counted);
  ASSERT_OK(counted->update(1, {.b = 5, .a = 7}));
  for (const Written which : {Written::kByDatapath, Written::kSince}) {
    auto copied = copy_layout(other, pin_dir_, *types, which);
    ASSERT_OK(copied);
    EXPECT_EQ(*copied, 0U);
  }
  auto copied = copy_layout(other, pin_dir_, *types, Written::kByAgent);
  ASSERT_OK(copied);
  EXPECT_EQ(*copied, 1U) << "what is 0 is 0 already";
  auto ours = OurFlows::open(layout_dir(pin_dir_) / "service_counters", Access::kRead);
  ASSERT_OK(ours);
  EXPECT_EQ(ours->lookup(1), (Ours{.b = 5, .a = 7}));
}

TEST_F(LayoutMoveTest, IsInForceOnceALinkIsInItsFolder) {
  const fs::path ours = layout_dir(pin_dir_);
  EXPECT_FALSE(was_never_in_force(ours, nullptr)) << "complete, and nothing is attached anywhere";
  EXPECT_FALSE(was_never_in_force(ours, &old_));
  ASSERT_OK(begin_layout(pin_dir_));
  EXPECT_TRUE(was_never_in_force(ours, nullptr)) << "marked";
  ASSERT_OK(begin_layout(pin_dir_));
  ASSERT_OK(complete_layout(pin_dir_));
  ASSERT_OK(complete_layout(pin_dir_));
  EXPECT_FALSE(was_never_in_force(ours, nullptr));

  attach(old_);
  EXPECT_TRUE(was_never_in_force(ours, &old_)) << "all links are the old one's";
  EXPECT_FALSE(was_never_in_force(old_, &ours));
  ASSERT_TRUE(fs::create_directory(old_ / "unfinished"));
  EXPECT_FALSE(was_never_in_force(old_, nullptr)) << "whatever the mark says";
}

TEST_F(LayoutMoveTest, FindsTheOneThatIsInForceAndRemovesOthers) {
  auto found = find_older_layout(pin_dir_);
  ASSERT_OK(found);
  EXPECT_EQ(*found, old_);

  const fs::path cut_short = pin_dir_ / "v1000";
  ASSERT_TRUE(fs::create_directories(cut_short / "links"));
  fs::rename(layout_dir(pin_dir_) / "layout", cut_short / "layout");
  ASSERT_TRUE(fs::create_directory(cut_short / "unfinished"));
  const fs::path empty = pin_dir_ / "v1001";
  ASSERT_TRUE(fs::create_directories(empty / "links"));
  found = find_older_layout(pin_dir_);
  ASSERT_OK(found);
  EXPECT_EQ(*found, old_);
  EXPECT_FALSE(fs::exists(cut_short)) << "it was never in force";
  EXPECT_FALSE(fs::exists(empty)) << "neither was what does not describe itself and has no link";

  ASSERT_OK(describe_layout(pin_dir_, *types_));
  ASSERT_TRUE(fs::create_directories(cut_short / "links"));
  fs::rename(layout_dir(pin_dir_) / "layout", cut_short / "layout");
  found = find_older_layout(pin_dir_);
  ASSERT_FALSE(found) << "which of two is not ours to say";
  EXPECT_NE(found.error().message().find("two other layouts"), std::string::npos);
  EXPECT_TRUE(fs::exists(cut_short / "layout"));
  EXPECT_TRUE(fs::exists(old_ / "flows"));
  fs::remove_all(cut_short);

  attach(old_);
  ASSERT_TRUE(fs::remove(old_ / "layout"));
  found = find_older_layout(pin_dir_);
  ASSERT_FALSE(found) << "it is attached, and nobody can read it";
  EXPECT_NE(found.error().message().find("does not describe its layout"), std::string::npos);
  EXPECT_TRUE(fs::exists(old_ / "flows"));
}

}  // namespace
}  // namespace flare
