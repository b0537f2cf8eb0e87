// Idle connections of TLS follow the load: the real agent, the real walk over the VM's sockets.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>
#include <functional>

#include "e2e/lab.h"
#include "e2e/peers.h"

namespace flare::test {
namespace {

/// A TLS record without a meaning: the datapath sees no more of any.
std::string record(char type) { return std::string{type, 3, 3, 0, 40} + std::string(40, 'x'); }
constexpr char kHandshake = 22, kData = 23;

class IdleMove : public testing::TestWithParam<LabCase> {
 protected:
  IdleMove()
      : lab(GetParam().attach),
        vm(lab.name("vm"), frontend(), Protocol::kTcp, 'V'),
        cloud(lab.name("cloud"), backend(), Protocol::kTcp, 'C') {}

  void start(const std::string& settings) {
    lab.configure("  - name: web\n    frontend: \"" + frontend() +
                  "\"\n    policy: formula\n    capacity_rps: 1000000\n    serverless:\n"
                  "      - endpoint: \"" +
                  backend() + "\"\n" + settings);
    lab.start_agent();
  }
  static std::string frontend() {
    return GetParam().v4 ? "198.51.100.10:8443" : "[2001:db8:2::10]:8443";
  }
  static std::string backend() {
    return GetParam().v4 ? "203.0.113.10:8443" : "[2001:db8:3::10]:8443";
  }
  /// Dials, is greeted, and shakes hands, as it looks.
  UniqueFd dial(char tier) const {
    UniqueFd socket = dial_echo(lab.name("client"), frontend(), tier);
    EXPECT_TRUE(ask(socket, kHandshake));
    return socket;
  }
  /// One request and its answer. False where the connection has ended.
  static bool ask(const UniqueFd& socket, char type = kData) {
    const std::string question = record(type);
    if (::send(socket.get(), question.data(), question.size(), MSG_NOSIGNAL) < 0) return false;
    std::string answer(question.size(), 0);
    return ::recv(socket.get(), answer.data(), answer.size(), MSG_WAITALL) ==
           static_cast<ssize_t>(question.size());
  }
  static bool was_reset(const UniqueFd& socket) {
    char byte = 0;
    return ::recv(socket.get(), &byte, 1, MSG_DONTWAIT) < 0 && errno == ECONNRESET;
  }
  /// Asks on `busy` each 20 ms for as long as `until` does not hold; false after `seconds`.
  static bool busily(const UniqueFd& busy, double seconds, const std::function<bool()>& until) {
    return wait_for(
        [&] {
          EXPECT_TRUE(ask(busy)) << "it is never idle";
          return testing::Test::HasFailure() || until();
        },
        seconds);
  }

  Lab lab;
  EchoServer vm;
  EchoServer cloud;
};

TEST_P(IdleMove, ResetsTheIdleAndLeavesTheBusy) {
  start("    move: close\n    move_idle: on\n");
  const UniqueFd busy = dial('V');
  const UniqueFd idle = dial('V');
  const UniqueFd unused = dial('V');
  ASSERT_TRUE(ask(busy) && ask(idle));
  EXPECT_FALSE(busily(busy, 1, [&] { return was_reset(idle); })) << "nothing shall move yet";
  lab.ctl_ok("share set web 1");
  EXPECT_TRUE(busily(busy, 10, [&] { return was_reset(idle); }));
  EXPECT_FALSE(was_reset(unused)) << "it carried no load";
  const std::string shown = lab.ctl_ok("service show web");
  EXPECT_NE(shown.find(" 1 connections out"), std::string::npos) << shown;
  dial('C');
}

TEST_P(IdleMove, IsOffUnlessAskedFor) {
  start("    move: close\n");
  const UniqueFd busy = dial('V');
  const UniqueFd idle = dial('V');
  ASSERT_TRUE(ask(busy) && ask(idle));
  lab.ctl_ok("share set web 1");
  EXPECT_FALSE(busily(busy, 3, [&] { return was_reset(idle); }));
  EXPECT_TRUE(ask(idle));
}

INSTANTIATE_TEST_SUITE_P(Paths, IdleMove, testing::ValuesIn(kLabCases), lab_case_name);

}  // namespace
}  // namespace flare::test
