// Open flows must not notice what happens to weights, configuration, agent or program.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <thread>

#include "e2e/held_streams.h"
#include "e2e/lab.h"
#include "e2e/peers.h"

namespace flare::test {
namespace {

class Continuity : public testing::TestWithParam<LabCase> {
 protected:
  Continuity()
      : lab(GetParam().attach),
        vm(lab.name("vm"), frontend(), Protocol::kTcp, 'V'),
        cloud(lab.name("cloud"), backend(9090), Protocol::kTcp, 'C'),
        other(lab.name("cloud"), backend(9091), Protocol::kTcp, 'O') {}

  std::string frontend() const {
    return GetParam().v4 ? "198.51.100.10:8080" : "[2001:db8:2::10]:8080";
  }
  std::string backend(int port) const {
    return (GetParam().v4 ? "203.0.113.10:" : "[2001:db8:3::10]:") + std::to_string(port);
  }
  std::string service(const std::string& backends) const {
    return "  - name: web\n    frontend: \"" + frontend() +
           "\"\n    policy: formula\n    capacity_rps: 100000\n    spend: {per_second: 5000, "
           "burst: 5000}\n"
           "    serverless:\n" +
           backends;
  }
  std::string item(int port, int weight) const {
    return "      - {endpoint: \"" + backend(port) + "\", weight: " + std::to_string(weight) +
           "}\n";
  }
  static void hold(double seconds) {
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  }
  char ask() const { return who_answers(lab.name("client"), frontend(), Protocol::kTcp); }

  Lab lab;
  EchoServer vm;
  EchoServer cloud;
  EchoServer other;
};

TEST_P(Continuity, AThousandSpilledConnectionsNoticeNothing) {
  lab.configure(service(item(9090, 1) + item(9091, 0)));
  lab.start_agent();
  lab.ctl_ok("share set web 1");
  HeldStreams streams(lab.name("client"), frontend(), 1000);
  ASSERT_EQ(streams.size(), 1000U);
  ASSERT_EQ(streams.greeted_by('C'), 1000U);
  hold(1);

  // the weights
  lab.ctl_ok("share set web 0");
  EXPECT_EQ(ask(), 'V') << "new flows follow at once";
  lab.ctl_ok("share set web 1");
  lab.ctl_ok("backend drain web " + backend(9090));
  hold(0.5);
  lab.ctl_ok("backend undrain web " + backend(9090));

  // a reload, by file change and by signal: the other backend takes the new flows
  lab.configure(service(item(9090, 0) + item(9091, 1)));
  EXPECT_TRUE(wait_for([this] { return ask() == 'O'; })) << lab.agent_log();
  lab.signal_agent(SIGHUP);
  hold(0.5);

  // the agent killed and started again, which also replaces the programs, three times
  for (int i = 0; i < 3; ++i) {
    lab.stop_agent(SIGKILL);
    hold(0.3);
    lab.start_agent();
    EXPECT_EQ(ask(), 'O') << "the share set by hand is kept over a restart";
    hold(0.5);
  }
  lab.stop_agent(SIGTERM);
  hold(0.5);

  streams.stop();
  EXPECT_EQ(streams.resets(), 0U);
  EXPECT_EQ(streams.corrupt(), 0U);
  EXPECT_LT(streams.longest_wait(), 3.0) << "a stall";
  EXPECT_GT(streams.exchanges(), 10'000U);
  RecordProperty("exchanges", std::to_string(streams.exchanges()));
  std::printf("held 1000 connections: %llu messages, 0 resets, longest wait %.3f s\n",
              static_cast<unsigned long long>(streams.exchanges()), streams.longest_wait());
}

TEST_P(Continuity, ABadConfigurationLeavesTheRunningOne) {
  lab.configure(service(item(9090, 1)));
  lab.start_agent();
  lab.ctl_ok("share set web 1");
  EXPECT_EQ(ask(), 'C');
  lab.configure("  - name: web\n    frontend: \"" + frontend() + "\"\n    kapacity: 3\n");
  EXPECT_TRUE(wait_for([this] { return lab.agent_log().find("kapacity") != std::string::npos; }))
      << lab.agent_log();
  EXPECT_EQ(ask(), 'C');
  EXPECT_NE(lab.ctl("reload").exit_code, 0);
  EXPECT_EQ(ask(), 'C');
}

TEST_P(Continuity, ASecondAgentIsRefused) {
  lab.configure(service(item(9090, 1)));
  lab.start_agent();
  const std::string config = (lab.folder() / "flare.yaml").string();
  EXPECT_THROW(lab.in("vm", std::string(FLARED) + " --config " + config), std::runtime_error);
  EXPECT_EQ(ask(), 'V') << "the first one goes on";
}

INSTANTIATE_TEST_SUITE_P(Paths, Continuity, testing::ValuesIn(kLabCases), lab_case_name);

}  // namespace
}  // namespace flare::test
