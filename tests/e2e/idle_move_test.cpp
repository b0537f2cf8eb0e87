// Idle connections of TLS follow the load: the real agent, the real walk over the VM's sockets.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <random>
#include <vector>

#include "e2e/lab.h"
#include "e2e/peers.h"
#include "support/precedence.h"

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
  /// A client that asks each 20 ms does so on a busy machine, too, and is not idle there for 200
  /// ms.
  Precedence precedence;
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

TEST_P(IdleMove, BringsTheIdleHomeAndLeavesTheBusy) {
  start("    move: close\n    move_idle: on\n");
  lab.ctl_ok("share set web 1");
  const UniqueFd busy = dial('C');
  const UniqueFd idle = dial('C');
  const UniqueFd unused = dial('C');
  ASSERT_TRUE(ask(busy) && ask(idle));
  ASSERT_EQ(cloud.open_connections(), 3U);
  EXPECT_FALSE(busily(busy, 1, [&] { return was_reset(idle); })) << "nothing shall move yet";
  lab.ctl_ok("share set web 0");
  EXPECT_TRUE(busily(busy, 10, [&] { return was_reset(idle); }));
  EXPECT_TRUE(busily(busy, 2, [&] { return cloud.open_connections() == 2; }))
      << "the backend's end, too";
  EXPECT_FALSE(was_reset(unused)) << "it carried no load";
  const std::string shown = lab.ctl_ok("service show web");
  EXPECT_NE(shown.find(" 1 home"), std::string::npos) << shown;
  dial('V');
}

TEST_P(IdleMove, BringsHomeWhatIsNoHttp) {
  start("    move: close\n    move_idle: on\n");
  lab.ctl_ok("share set web 1");
  const UniqueFd busy = dial('C');
  const UniqueFd idle = dial_echo(lab.name("client"), frontend(), 'C');
  ASSERT_TRUE(ask(idle, 'x'));
  lab.ctl_ok("share set web 0");
  EXPECT_FALSE(busily(busy, 2, [&] { return was_reset(idle); })) << "it might be HTTP";
  ASSERT_TRUE(ask(idle, 'x')) << "an answer that shows what it is";
  EXPECT_TRUE(busily(busy, 10, [&] { return was_reset(idle); }));
  EXPECT_TRUE(busily(busy, 2, [&] { return cloud.open_connections() == 1; }));
}

TEST_P(IdleMove, ServesNoRequestThatItResets) {
  start("    move: close\n    move_idle: on\n");
  lab.ctl_ok("share set web 1");
  struct Connection {
    UniqueFd socket;
    std::chrono::steady_clock::time_point next;
  };
  std::vector<Connection> open;
  std::mt19937 random(1);
  // About as long as a connection must be silent to be reset.
  const auto pause = [&random] { return std::chrono::microseconds(190'000 + random() % 40'000); };
  for (int i = 0; i < 60; ++i) open.push_back({dial('C'), std::chrono::steady_clock::now()});
  ASSERT_FALSE(HasFailure());
  lab.ctl_ok("share set web 0");
  std::uint64_t answered = open.size();
  EXPECT_TRUE(wait_for(
      [&] {
        for (Connection& one : open) {
          if (one.next > std::chrono::steady_clock::now()) continue;
          one.next = std::chrono::steady_clock::now() + pause();
          if (ask(one.socket)) {
            ++answered;
          } else {
            one.socket = UniqueFd();
          }
        }
        std::erase_if(open, [](const Connection& one) { return !one.socket; });
        return open.empty();
      },
      120))
      << open.size() << " have not come home";
  EXPECT_EQ(cloud.bytes_received(), answered * record(kData).size());
  EXPECT_TRUE(wait_for([&] { return cloud.open_connections() == 0; }));
}

TEST_P(IdleMove, BringsNobodyHomeUnlessAskedFor) {
  start("    move: close\n");
  lab.ctl_ok("share set web 1");
  const UniqueFd busy = dial('C');
  const UniqueFd idle = dial('C');
  ASSERT_TRUE(ask(busy) && ask(idle));
  lab.ctl_ok("share set web 0");
  EXPECT_FALSE(busily(busy, 3, [&] { return was_reset(idle); }));
  EXPECT_TRUE(ask(idle));
  EXPECT_EQ(cloud.open_connections(), 2U);
}

INSTANTIATE_TEST_SUITE_P(Paths, IdleMove, testing::ValuesIn(kLabCases), lab_case_name);

}  // namespace
}  // namespace flare::test
