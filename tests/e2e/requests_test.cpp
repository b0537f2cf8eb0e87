// Requests in flight, with real sockets: who answers when the cap is reached, and when it is not.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>

#include <nlohmann/json.hpp>

#include "e2e/lab.h"
#include "e2e/peers.h"

namespace flare::test {
namespace {

class Requests : public testing::TestWithParam<LabCase> {
 protected:
  Requests()
      : lab(GetParam().attach),
        vm(silent_server(lab.name("vm"), frontend())),
        cloud(lab.name("cloud"), backend(), Protocol::kTcp, 'C') {
    lab.configure("  - name: web\n    frontend: \"" + frontend() +
                  "\"\n    policy: cap\n    workers: 2\n    serverless:\n      - endpoint: \"" +
                  backend() + "\"\n");
    lab.start_agent();
  }
  static std::string frontend() {
    return GetParam().v4 ? "198.51.100.10:8080" : "[2001:db8:2::10]:8080";
  }
  static std::string backend() {
    return GetParam().v4 ? "203.0.113.10:9090" : "[2001:db8:3::10]:9090";
  }
  /// Asks on a new connection, which stays open without an answer.
  UniqueFd ask() const {
    auto socket = connect_from(lab.name("client"), frontend(), Protocol::kTcp);
    if (!socket) return {};
    EXPECT_EQ(::send(socket->get(), "question", 8, MSG_NOSIGNAL), 8);
    return *std::move(socket);
  }
  char who(double seconds = 5) const {
    return who_answers(lab.name("client"), frontend(), Protocol::kTcp, seconds);
  }
  nlohmann::json vm_tier() const {
    return nlohmann::json::parse(lab.ctl_ok("service show web -o json"))["service"]["tiers"]["vm"];
  }
  bool in_flight_becomes(int count) const {
    return wait_for([&] { return vm_tier()["in_flight"] == count; });
  }

  Lab lab;
  UniqueFd vm;
  EchoServer cloud;
};

TEST_P(Requests, SpillTheFirstConnectionThatFindsTheCapReached) {
  std::vector<UniqueFd> asking;
  for (int i = 1; i <= 3; ++i) {
    asking.push_back(ask());
    ASSERT_TRUE(in_flight_becomes(i));
  }
  EXPECT_EQ(who(), 'C') << "three in flight, 1.5 for each of two workers";
  lab.stop_agent(SIGKILL);
  EXPECT_EQ(who(), 'C') << "the cap is the kernel's";

  const linger reset{1, 0};
  ASSERT_EQ(::setsockopt(asking[0].get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
  asking.erase(asking.begin());
  ASSERT_TRUE(in_flight_becomes(2));
  EXPECT_EQ(who(1), '-') << "to the VM, where nobody answers";
  EXPECT_EQ(vm_tier()["requests"], 3);
  EXPECT_EQ(vm_tier()["abandoned"], 1);
}

INSTANTIATE_TEST_SUITE_P(Paths, Requests, testing::ValuesIn(kLabCases), lab_case_name);

}  // namespace
}  // namespace flare::test
