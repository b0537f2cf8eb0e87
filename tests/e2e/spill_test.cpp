// Who answers a new flow: the VM, or serverless. Every combination of family, protocol and hook.
#include <gtest/gtest.h>

#include <signal.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "e2e/lab.h"
#include "e2e/peers.h"

namespace flare::test {
namespace {

struct Case {
  bool v4;
  Protocol protocol;
  Attach attach;
};

std::string name_of(const testing::TestParamInfo<Case>& info) {
  return std::string(info.param.v4 ? "V4" : "V6") +
         (info.param.protocol == Protocol::kTcp ? "Tcp" : "Udp") +
         (info.param.attach == Attach::kTc ? "Tc" : "Xdp");
}

class Spill : public testing::TestWithParam<Case> {
 protected:
  Spill()
      : lab(GetParam().attach),
        vm(lab.name("vm"), frontend(), GetParam().protocol, 'V'),
        cloud(lab.name("cloud"), backend(), GetParam().protocol, 'C') {}

  std::string frontend() const {
    return GetParam().v4 ? "198.51.100.10:8080" : "[2001:db8:2::10]:8080";
  }
  std::string backend() const {
    return GetParam().v4 ? "203.0.113.10:9090" : "[2001:db8:3::10]:9090";
  }
  std::string service(const std::string& settings) const {
    return "  - name: web\n    frontend: \"" + frontend() +
           "\"\n    protocol: " + (GetParam().protocol == Protocol::kTcp ? "tcp" : "udp") +
           "\n    serverless:\n      - endpoint: \"" + backend() + "\"\n" + settings;
  }
  std::string ask(int times) const {
    std::string tags;
    for (int i = 0; i < times; ++i)
      tags += who_answers(lab.name("client"), frontend(), GetParam().protocol);
    return tags;
  }
  static std::size_t count(const std::string& tags, char tag) {
    return static_cast<std::size_t>(std::count(tags.begin(), tags.end(), tag));
  }

  Lab lab;
  EchoServer vm;
  EchoServer cloud;
};

TEST_P(Spill, FollowsTheShare) {
  lab.configure(service("    policy: formula\n    capacity_rps: 100000\n"));
  lab.start_agent();
  EXPECT_EQ(ask(50), std::string(50, 'V')) << "share 0 is exactly none";

  lab.ctl_ok("share set web 1");
  EXPECT_EQ(ask(50), std::string(50, 'C')) << "share 1 is exactly all";

  lab.ctl_ok("share set web 0.5");
  const std::string half = ask(200);
  EXPECT_EQ(count(half, '-'), 0U);
  EXPECT_NEAR(static_cast<double>(count(half, 'C')), 100, 3 * 7.1) << half;

  lab.ctl_ok("share auto web");
  EXPECT_TRUE(wait_for([this] { return ask(5) == "VVVVV"; })) << "the policy takes over again";
}

TEST_P(Spill, TheBucketSendsAwayWhatTheVmHasNoRoomFor) {
  lab.configure(service("    policy: formula\n    capacity_rps: 1\n    bucket_depth: 10\n"));
  lab.start_agent();
  const std::string tags = ask(30);
  EXPECT_EQ(count(tags, '-'), 0U);
  EXPECT_EQ(tags.substr(0, 10), std::string(10, 'V')) << "ten tokens at once";
  EXPECT_GE(count(tags, 'C'), 15U) << tags;
}

TEST_P(Spill, ObserveCountsAndTouchesNothing) {
  lab.configure(service("    policy: observe\n    capacity_rps: 1\n    bucket_depth: 10\n"));
  lab.start_agent();
  EXPECT_EQ(ask(30), std::string(30, 'V'));
  const auto shown = nlohmann::json::parse(lab.ctl_ok("service show web -o json"));
  EXPECT_NE(shown.dump().find("\"observed\""), std::string::npos) << shown.dump(1);
}

TEST_P(Spill, WithoutAgentTheBucketHoldsAndNoShareIsKept) {
  lab.configure(service("    policy: formula\n    capacity_rps: 100000\n"),
                "  heartbeat_bound: 2s\n");
  lab.start_agent();
  lab.ctl_ok("share set web 1");
  EXPECT_EQ(ask(10), std::string(10, 'C'));
  lab.stop_agent(SIGKILL);
  EXPECT_EQ(ask(1), "C") << "at once, the share still holds";
  EXPECT_TRUE(wait_for([this] { return ask(3) == "VVV"; })) << "nobody tends it any more";
  EXPECT_EQ(lab.ctl("status").exit_code, 7) << "degraded: " << lab.ctl("status").out;
}

TEST_P(Spill, DetachRemovesTheDatapath) {
  lab.configure(service("    policy: formula\n    capacity_rps: 100000\n    min_share: 1\n"));
  lab.start_agent();
  EXPECT_EQ(ask(5), "CCCCC");
  lab.stop_agent(SIGTERM);
  EXPECT_EQ(ask(5), "CCCCC") << "the datapath outlives the agent";
  lab.ctl_ok("detach --yes");
  EXPECT_EQ(ask(5), "VVVVV");
}

INSTANTIATE_TEST_SUITE_P(Paths, Spill,
                         testing::Values(Case{true, Protocol::kTcp, Attach::kTc},
                                         Case{true, Protocol::kTcp, Attach::kXdp},
                                         Case{true, Protocol::kUdp, Attach::kTc},
                                         Case{true, Protocol::kUdp, Attach::kXdp},
                                         Case{false, Protocol::kTcp, Attach::kTc},
                                         Case{false, Protocol::kTcp, Attach::kXdp},
                                         Case{false, Protocol::kUdp, Attach::kTc},
                                         Case{false, Protocol::kUdp, Attach::kXdp}),
                         name_of);

}  // namespace
}  // namespace flare::test
