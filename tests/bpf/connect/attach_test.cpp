// The links at cgroups: they outlive the agent, are replaced in place, and go when they shall.
#include <unistd.h>

#include <cerrno>

#include "bpf/connect/connect_fixture.h"

namespace flare::test {
namespace {

class AtCgroup : public ConnectTest {
 protected:
  void SetUp() override {
    ConnectTest::SetUp();
    make(Wording::kV4);
  }
  static void expect_attached(const std::filesystem::path& path) {
    auto states = attached_cgroups(pin_dir());
    ASSERT_TRUE(states);
    for (const CgroupState& state : *states) {
      if (state.path != path) continue;
      EXPECT_TRUE(state.exists);
      EXPECT_EQ(state.hooks, kCgroupHooks.size());
      return;
    }
    ADD_FAILURE() << path << " has no pins";
  }
  Server machine{vm(Wording::kV4)};
};

TEST_F(AtCgroup, NextAgentReplacesThemInPlaceAndKeepsTheCounts) {
  const UniqueFd held = open();
  auto next = ConnectHooks::load(pin_dir());
  ASSERT_TRUE(next) << next.error().message();
  EXPECT_FALSE(next->is_at(cgroup())) << "it has not looked yet";
  auto attached = next->attach(cgroup());
  ASSERT_TRUE(attached) << attached.error().message();
  EXPECT_TRUE(*attached);
  EXPECT_TRUE(next->is_at(cgroup()));
  expect_attached(cgroup());
  const UniqueFd another = open();
  EXPECT_EQ(in_flight(FLARE_TIER_VM), 2);
  EXPECT_EQ(peer_of(held), frontend(Wording::kV4));
}

TEST_F(AtCgroup, OutliveTheAgent) {
  const std::filesystem::path one = make_cgroup("flare.one of-two");
  {
    auto agent = ConnectHooks::load(pin_dir());
    ASSERT_TRUE(agent);
    ASSERT_TRUE(agent->attach(one));
  }
  expect_attached(one);
  expect_attached(cgroup());
  enter_cgroup(one);
  EXPECT_EQ(dial(make_socket(Wording::kV4)), 0);
  enter_cgroup(cgroup());
  auto agent = ConnectHooks::load(pin_dir());
  ASSERT_TRUE(agent);
  auto gone = agent->detach(one);
  ASSERT_TRUE(gone) << gone.error().message();
  EXPECT_TRUE(*gone);
  EXPECT_FALSE(*agent->detach(one)) << "a second time";
  enter_cgroup(one);
  EXPECT_EQ(dial(make_socket(Wording::kV4)), ENETUNREACH);
  enter_cgroup(cgroup());
  EXPECT_EQ(dial(make_socket(Wording::kV4)), 0) << "the other cgroup's are there";
  EXPECT_TRUE(wait_until([&one] { return ::rmdir(one.c_str()) == 0; }));
}

TEST_F(AtCgroup, DetachingForgetsWhatWouldEndUnseen) {
  const UniqueFd held = open();
  EXPECT_EQ(in_flight(FLARE_TIER_VM), 1);
  ASSERT_TRUE(*hooks().detach(cgroup()));
  EXPECT_EQ(open_counts(), nothing_open());
  EXPECT_EQ(maps().admission.read(kService).vanished, 1U);
  ASSERT_TRUE(hooks().attach(cgroup()));
}

TEST_F(AtCgroup, CgroupThatIsMadeAnewIsAttachedAnew) {
  const std::filesystem::path one = make_cgroup("flare-again");
  ASSERT_TRUE(hooks().attach(one));
  ASSERT_EQ(::rmdir(one.c_str()), 0);
  EXPECT_FALSE(hooks().is_at(one));
  auto states = attached_cgroups(pin_dir());
  ASSERT_TRUE(states);
  for (const CgroupState& state : *states) EXPECT_EQ(state.exists, state.path != one);
  make_cgroup("flare-again");
  EXPECT_FALSE(hooks().is_at(one)) << "it is another one";
  auto attached = hooks().attach(one);
  ASSERT_TRUE(attached) << attached.error().message();
  EXPECT_FALSE(*attached);
  expect_attached(one);
  ASSERT_TRUE(hooks().detach(one));
  EXPECT_TRUE(wait_until([&one] { return ::rmdir(one.c_str()) == 0; }));
}

TEST_F(AtCgroup, OtherPathsAreRefusedAndLeaveNothing) {
  EXPECT_FALSE(hooks().attach("/sys/fs/cgroup/there-is-none"));
  auto refused = hooks().attach("/tmp");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("not a cgroup of version 2"), std::string::npos)
      << refused.error().message();
  EXPECT_EQ(attached_cgroups(pin_dir())->size(), 1U);
}

}  // namespace
}  // namespace flare::test
