// Active checks against real sockets on loopback.
#include "health/checker.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <thread>

#include "scripted_server.h"

namespace flare {
namespace {

using std::chrono::milliseconds;
using test::answers;
using test::BlackHole;
using test::ScriptedServer;
using Verdict = CheckResult::Verdict;
using Check = HealthConfig::Check;

class CheckerTest : public testing::Test {
 protected:
  void SetUp() override { make({}); }
  void make(const CheckerLimits& limits) {
    checker_.reset();
    auto made = Checker::make(
        loop_, clock_, limits, 1,
        [this](std::uint64_t key, const CheckResult& result) { results_[key].push_back(result); });
    ASSERT_TRUE(made) << made.error().message();
    checker_ = *std::move(made);
  }
  static EventLoop make_loop() { return *EventLoop::make(); }

  static CheckPlan plan(const Endpoint& to, Check check) {
    CheckPlan made;
    made.to = to;
    made.check = check;
    made.interval = milliseconds(20);
    made.timeout = milliseconds(300);
    return made;
  }
  template <typename Done>
  bool turn_until(Done done, milliseconds bound = milliseconds(3000)) {
    const auto end = std::chrono::steady_clock::now() + bound;
    while (!done() && std::chrono::steady_clock::now() < end) {
      if (!loop_.turn(10)) return false;
    }
    return done();
  }
  /// The first result of a check by `how`.
  CheckResult check(const CheckPlan& how) {
    checker_->set(1, how);
    EXPECT_TRUE(turn_until([this] { return !results_[1].empty(); })) << "no result";
    return results_[1].empty() ? CheckResult{} : results_[1].front();
  }

  EventLoop loop_ = make_loop();
  MonotonicClock clock_;
  std::map<std::uint64_t, std::vector<CheckResult>> results_;
  std::unique_ptr<Checker> checker_;
};

void expect(const CheckResult& result, Verdict verdict, const char* why) {
  EXPECT_EQ(result.verdict, verdict) << result.why;
  EXPECT_NE(result.why.find(why), std::string::npos) << result.why;
}

TEST_F(CheckerTest, PassesWhereAConnectionIsTaken) {
  for (const char* address : {"127.0.0.1", "::1"}) {
    results_.clear();
    make({});
    ScriptedServer server(address,
                          [](ScriptedServer&, int fd) { ScriptedServer::wait_for_end(fd); });
    expect(check(plan(server.endpoint(), Check::kTcp)), Verdict::kPassed, "connected");
  }
}

TEST_F(CheckerTest, FailsWhereItIsRefused) {
  for (const char* address : {"127.0.0.1", "::1"}) {
    results_.clear();
    make({});
    Endpoint closed;
    {
      const ScriptedServer server(address, {});
      closed = server.endpoint();
    }
    expect(check(plan(closed, Check::kTcp)), Verdict::kFailed, "Connection refused");
    results_.clear();
    expect(check(plan(closed, Check::kHttp)), Verdict::kFailed, "Connection refused");
  }
}

TEST_F(CheckerTest, FailsWhereNothingAnswers) {
  const BlackHole hole;
  expect(check(plan(hole.endpoint(), Check::kTcp)), Verdict::kFailed, "no connection in 300 ms");
}

TEST_F(CheckerTest, FailsWhereThereIsNoWay) {
  const auto nowhere = Endpoint::parse("255.255.255.255:80");
  expect(check(plan(*nowhere, Check::kTcp)), Verdict::kFailed, "");
}

TEST_F(CheckerTest, EndsItsConnectionsByAReset) {
  std::atomic<int> end = -1;
  ScriptedServer server("127.0.0.1",
                        [&](ScriptedServer&, int fd) { end = ScriptedServer::wait_for_end(fd); });
  check(plan(server.endpoint(), Check::kTcp));
  EXPECT_TRUE(turn_until([&] { return end >= 0; }));
  EXPECT_EQ(end, ECONNRESET);
}

TEST_F(CheckerTest, GoesOnChecking) {
  ScriptedServer server("127.0.0.1", answers("HTTP/1.1 200 OK\r\n\r\n"));
  checker_->set(1, plan(server.endpoint(), Check::kHttp));
  EXPECT_TRUE(turn_until([this] { return results_[1].size() >= 5; }));
}

TEST_F(CheckerTest, AsksAsItIsToldTo) {
  ScriptedServer server("127.0.0.1", answers("HTTP/1.1 200 OK\r\n\r\n"));
  CheckPlan how = plan(server.endpoint(), Check::kHttp);
  how.path = "/a/../health?full=1";
  how.host = "web.example";
  check(how);
  ASSERT_FALSE(server.heads().empty());
  const std::string head = server.heads().front();
  EXPECT_EQ(head.substr(0, head.find('\r')), "GET /a/../health?full=1 HTTP/1.1");
  EXPECT_NE(head.find("\r\nHost: web.example\r\n"), std::string::npos) << head;
  EXPECT_EQ(head.find("Host:"), head.rfind("Host:")) << head;
  EXPECT_NE(head.find("\r\nUser-Agent: flare-health/" FLARE_VERSION "\r\n"), std::string::npos)
      << head;
  EXPECT_NE(head.find("\r\nConnection: close\r\n"), std::string::npos) << head;
}

TEST_F(CheckerTest, NamesTheAddressWhereNoHostIsTold) {
  ScriptedServer server("::1", answers("HTTP/1.1 200 OK\r\n\r\n"));
  check(plan(server.endpoint(), Check::kHttp));
  ASSERT_FALSE(server.heads().empty());
  EXPECT_NE(server.heads().front().find("\r\nHost: " + server.endpoint().text() + "\r\n"),
            std::string::npos)
      << server.heads().front();
}

TEST_F(CheckerTest, HeedsNoProxyOfTheEnvironment) {
  ScriptedServer server("127.0.0.1", answers("HTTP/1.1 200 OK\r\n\r\n"));
  ::setenv("http_proxy", "http://192.0.2.1:3128", 1);
  const CheckResult result = check(plan(server.endpoint(), Check::kHttp));
  ::unsetenv("http_proxy");
  expect(result, Verdict::kPassed, "status 200");
}

struct AnswerCase {
  const char* name;
  std::string answer;
  Verdict verdict;
  const char* why;
};

class Answer : public CheckerTest, public testing::WithParamInterface<AnswerCase> {};

TEST_P(Answer, IsJudged) {
  ScriptedServer server("127.0.0.1", answers(GetParam().answer));
  expect(check(plan(server.endpoint(), Check::kHttp)), GetParam().verdict, GetParam().why);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, Answer,
    testing::Values(
        AnswerCase{"Ok", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", Verdict::kPassed,
                   "status 200"},
        AnswerCase{"NoReason", "HTTP/1.1 204\r\n\r\n", Verdict::kPassed, "status 204"},
        AnswerCase{"OldVersion", "HTTP/1.0 200 OK\r\n\r\nok", Verdict::kPassed, "status 200"},
        AnswerCase{"Redirect", "HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\n\r\n",
                   Verdict::kPassed, "status 302"},
        AnswerCase{"Interim",
                   "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
                   Verdict::kPassed, "status 200"},
        AnswerCase{"BadBehindInterim", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Busy\r\n\r\n",
                   Verdict::kFailed, "status 503"},
        AnswerCase{"LongBody", "HTTP/1.1 200 OK\r\n\r\n" + std::string(3'000'000, 'x'),
                   Verdict::kPassed, "status 200"},
        AnswerCase{"Error", "HTTP/1.1 500 Oops\r\n\r\n", Verdict::kFailed, "status 500"},
        AnswerCase{"NotFound", "HTTP/1.1 404 Not Found\r\n\r\n", Verdict::kFailed, "status 404"},
        AnswerCase{"Garbage", "SSH-2.0-OpenSSH_9.2\r\n", Verdict::kFailed, "not HTTP"},
        AnswerCase{"Binary", std::string("\x16\x03\x01\0\x05", 5), Verdict::kFailed, "not HTTP"},
        AnswerCase{"BadStatus", "HTTP/1.1 abc Oops\r\n\r\n", Verdict::kFailed, "not HTTP"},
        AnswerCase{"ManyHeaders",
                   "HTTP/1.1 200 OK\r\n" +
                       [] {
                         std::string lines;
                         for (int i = 0; i < 5000; ++i) lines += "X-Header: 0123456789\r\n";
                         return lines;
                       }(),
                   Verdict::kFailed, "more than 64 KiB of headers"},
        AnswerCase{"EndlessHeader", "HTTP/1.1 200 OK\r\nX: " + std::string(500'000, 'x'),
                   Verdict::kFailed, "header line is too long"},
        AnswerCase{"Half", "HTTP/1.1 200 OK\r\nContent-", Verdict::kFailed, "closed"},
        AnswerCase{"Nothing", "", Verdict::kFailed, "closed without an answer"}),
    [](const auto& one) { return one.param.name; });

TEST_F(CheckerTest, AcceptsTheStatusItIsTold) {
  ScriptedServer server("127.0.0.1", answers("HTTP/1.1 404 Not Found\r\n\r\n"));
  CheckPlan how = plan(server.endpoint(), Check::kHttp);
  how.status_min = how.status_max = 404;
  expect(check(how), Verdict::kPassed, "status 404");
}

TEST_F(CheckerTest, FailsWhereTheAnswerIsTooSlow) {
  ScriptedServer server("127.0.0.1", [](ScriptedServer& self, int fd) {
    self.read_head(fd);
    ScriptedServer::wait_for_end(fd);
  });
  expect(check(plan(server.endpoint(), Check::kHttp)), Verdict::kFailed,
         "connected, but no answer in 300 ms");
}

TEST_F(CheckerTest, FailsWhereTheAnswerDrips) {
  ScriptedServer server("127.0.0.1", [](ScriptedServer& self, int fd) {
    self.send(fd, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 100 && !self.stopping(); ++i) {
      self.send(fd, "X: y\r\n");
      std::this_thread::sleep_for(milliseconds(10));
    }
  });
  expect(check(plan(server.endpoint(), Check::kHttp)), Verdict::kFailed, "no answer in 300 ms");
}

TEST_F(CheckerTest, FailsWhereTheConnectionIsReset) {
  ScriptedServer server("127.0.0.1", [](ScriptedServer& self, int fd) {
    self.read_head(fd);
    const linger reset{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  });
  expect(check(plan(server.endpoint(), Check::kHttp)), Verdict::kFailed, "connection reset");
}

TEST_F(CheckerTest, MakesNoMoreChecksAtOnceThanItMay) {
  CheckerLimits limits;
  limits.at_once = 4;
  make(limits);
  const BlackHole hole;
  for (std::uint64_t key = 0; key < 50; ++key) {
    checker_->set(key, plan(hole.endpoint(), Check::kTcp));
  }
  std::size_t most = 0;
  turn_until(
      [&] {
        most = std::max(most, checker_->running());
        return results_.size() >= 12;
      },
      milliseconds(4000));
  EXPECT_EQ(most, 4U);
  EXPECT_GE(results_.size(), 12U) << "each has its turn";
  EXPECT_GT(checker_->lateness(), 1);
}

TEST_F(CheckerTest, StartsABoundedNumberInOneTurn) {
  CheckerLimits limits;
  limits.starts = 3;
  make(limits);
  const BlackHole hole;
  for (std::uint64_t key = 0; key < 50; ++key) {
    checker_->set(key, plan(hole.endpoint(), Check::kTcp));
    checker_->hurry(key);
  }
  std::size_t before = 0;
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(loop_.turn(10));
    EXPECT_LE(checker_->running(), before + 3);
    before = checker_->running();
  }
  EXPECT_GT(before, 12U);
}

TEST_F(CheckerTest, BlamesNobodyForItsOwnDelay) {
  const BlackHole hole;
  checker_->set(1, plan(hole.endpoint(), Check::kTcp));
  ASSERT_TRUE(turn_until([this] { return checker_->running() == 1; }));
  std::this_thread::sleep_for(milliseconds(900));
  ASSERT_TRUE(turn_until([this] { return !results_[1].empty(); }));
  expect(results_[1].front(), Verdict::kUnknown, "flared was late");
}

TEST_F(CheckerTest, BlamesNobodyForWantOfDescriptors) {
  ScriptedServer server("127.0.0.1",
                        [](ScriptedServer&, int fd) { ScriptedServer::wait_for_end(fd); });
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{3, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const CheckResult result = check(plan(server.endpoint(), Check::kTcp));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  expect(result, Verdict::kUnknown, "Too many open files");
}

TEST_F(CheckerTest, TellsNothingOfWhatWasRemoved) {
  const BlackHole hole;
  checker_->set(1, plan(hole.endpoint(), Check::kTcp));
  ASSERT_TRUE(turn_until([this] { return checker_->running() == 1; }));
  checker_->remove(1);
  ASSERT_TRUE(turn_until([this] { return checker_->running() == 0; }));
  EXPECT_TRUE(results_.empty());
}

TEST_F(CheckerTest, TellsNothingByAPlanThatIsNotInForceAnyMore) {
  const BlackHole hole;
  ScriptedServer server("127.0.0.1",
                        [](ScriptedServer&, int fd) { ScriptedServer::wait_for_end(fd); });
  checker_->set(1, plan(hole.endpoint(), Check::kTcp));
  ASSERT_TRUE(turn_until([this] { return checker_->running() == 1; }));
  checker_->set(1, plan(server.endpoint(), Check::kTcp));
  ASSERT_TRUE(turn_until([this] { return !results_[1].empty(); }));
  expect(results_[1].front(), Verdict::kPassed, "connected");
}

TEST_F(CheckerTest, GoesAwayWithChecksRunning) {
  const BlackHole hole;
  checker_->set(1, plan(hole.endpoint(), Check::kTcp));
  ASSERT_TRUE(turn_until([this] { return checker_->running() == 1; }));
  checker_.reset();
  ASSERT_TRUE(loop_.turn(400));
  EXPECT_TRUE(results_.empty());
}

}  // namespace
}  // namespace flare
