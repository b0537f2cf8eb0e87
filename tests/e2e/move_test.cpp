// Open connections are told to end: real sockets, the real agent, a server that echoes.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "e2e/lab.h"
#include "e2e/peers.h"

namespace flare::test {
namespace {

const std::string kAnswer =
    "HTTP/1.1 200 OK\r\nDate: Thu, 26 Nov 2026 10:00:00 GMT\r\nContent-Length: 30\r\n\r\n" +
    std::string(30, 'x');
const std::string kTold =
    "HTTP/1.1 200 OK\r\nConnection:                   close\r\nContent-Length: 30\r\n\r\n" +
    std::string(30, 'x');
const std::string kGoaway("\0\0\x08\x07\0\0\0\0\0\x7f\xff\xff\xff\0\0\0\0", 17);

/// A frame of HTTP/2 that begins a request, and, echoed, answers it.
std::string headers(char stream, std::size_t bytes) {
  std::string frame{static_cast<char>(bytes >> 16),
                    static_cast<char>(bytes >> 8),
                    static_cast<char>(bytes),
                    1,
                    5 /* END_STREAM, END_HEADERS */,
                    0,
                    0,
                    0,
                    stream};
  for (std::size_t i = 0; i < bytes; ++i) frame += static_cast<char>(i * 7);
  return frame;
}

class MoveOpen : public testing::TestWithParam<LabCase> {
 protected:
  MoveOpen()
      : lab(GetParam().attach),
        vm(lab.name("vm"), frontend(), Protocol::kTcp, 'V'),
        cloud(lab.name("cloud"), backend(), Protocol::kTcp, 'C') {
    lab.configure("  - name: web\n    frontend: \"" + frontend() +
                  "\"\n    policy: formula\n    capacity_rps: 1000000\n    move: close\n"
                  "    serverless:\n      - endpoint: \"" +
                  backend() + "\"\n");
    lab.start_agent();
  }
  static std::string frontend() {
    return GetParam().v4 ? "198.51.100.10:8080" : "[2001:db8:2::10]:8080";
  }
  static std::string backend() {
    return GetParam().v4 ? "203.0.113.10:8080" : "[2001:db8:3::10]:8080";
  }
  UniqueFd dial(char tier) const { return dial_echo(lab.name("client"), frontend(), tier); }
  static std::string receive(const UniqueFd& socket, std::size_t bytes) {
    std::string got(bytes, 0);
    const ssize_t count = ::recv(socket.get(), got.data(), got.size(), MSG_WAITALL);
    got.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
    return got;
  }
  /// Sends, and returns as many bytes of what comes back.
  static std::string echo(const UniqueFd& socket, const std::string& text) {
    EXPECT_EQ(::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
    return receive(socket, text.size());
  }

  Lab lab;
  EchoServer vm;
  EchoServer cloud;
};

TEST_P(MoveOpen, TellsAConnectionOfHttp1OutAndHome) {
  const UniqueFd open = dial('V');
  EXPECT_EQ(echo(open, kAnswer), kAnswer);
  lab.ctl_ok("share set web 1");
  EXPECT_TRUE(wait_for([&] { return echo(open, kAnswer) == kTold; }, 10));
  const UniqueFd out = dial('C');
  EXPECT_EQ(echo(out, kAnswer), kAnswer);
  lab.ctl_ok("share set web 0");
  EXPECT_TRUE(wait_for([&] { return echo(out, kAnswer) == kTold; }, 10));
  dial('V');
}

TEST_P(MoveOpen, PutsAGoawayIntoHttp2AndCountsItEverAfter) {
  const UniqueFd open = dial('V');
  const std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  EXPECT_EQ(echo(open, preface), preface);
  EXPECT_EQ(echo(open, headers(1, 40)), headers(1, 40));
  lab.ctl_ok("share set web 1");
  char stream = 1;
  const auto next = [&stream] { return headers(stream = static_cast<char>(stream + 2), 40); };
  const auto is_told = [&] {
    const std::string frame = next();
    EXPECT_EQ(echo(open, frame), frame);
    char byte = 0;
    return ::recv(open.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
  };
  ASSERT_TRUE(wait_for(is_told, 10));
  EXPECT_EQ(receive(open, kGoaway.size()), kGoaway);
  for (std::size_t bytes = 10; bytes < 600'000; bytes = bytes * 2 + 1) {
    std::string text(bytes, 0);
    for (std::size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>(i * i >> 3);
    ASSERT_EQ(echo(open, text) == text, true) << bytes;
  }
}

INSTANTIATE_TEST_SUITE_P(Paths, MoveOpen, testing::ValuesIn(kLabCases), lab_case_name);

}  // namespace
}  // namespace flare::test
