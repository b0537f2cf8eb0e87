// Backend and load generator against each other, on loopback and in one loop.
#include <gtest/gtest.h>

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "ask.h"
#include "backend/server.h"
#include "common/socket.h"
#include "load/run.h"
#include "load/summary.h"

namespace flare::lab {
namespace {

/// A server on a free port of `address` and a loop for it.
class Loopback {
 public:
  explicit Loopback(ServerConfig config, const std::string& address = "127.0.0.1") {
    config.listen = {Endpoint{*Address::parse(address), 0}};
    loop_ = std::make_unique<EventLoop>(*EventLoop::make());
    server_ = *Server::start(*loop_, clock_, config);
    target_ = Endpoint{*Address::parse(address), server_->port()};
  }

  /// Runs `rates` against the server and returns the run with all its records.
  std::unique_ptr<Run> run(const std::vector<double>& rates, ConnectionMode mode,
                           std::uint64_t timeout_ms = 10'000,
                           std::optional<std::uint64_t> zero_ns = std::nullopt) {
    const RatePlan plan = RatePlan::with_lead_in(rates, 0);
    RunConfig config{plan, timeout_ms * 1'000'000, zero_ns, {mode, {target_}, {}, "/"}};
    auto run = *Run::start(*loop_, clock_, config, open_arrivals(plan, 1),
                           [this](const std::string& line) { lines_.push_back(line); });
    EXPECT_TRUE(loop_->run());
    return run;
  }

  EventLoop& loop() { return *loop_; }
  const MonotonicClock& clock() const { return clock_; }
  const Server& server() const { return *server_; }
  Endpoint& target() { return target_; }
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  MonotonicClock clock_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<Server> server_;
  Endpoint target_;
  std::vector<std::string> lines_;
};

ServerConfig quick_server() {
  ServerConfig config;
  config.slots = 0;
  config.times.mean_ms = 5;
  return config;
}

std::size_t count(const Run& run, Outcome outcome) {
  return static_cast<std::size_t>(
      std::ranges::count(run.records(), outcome, &RequestRecord::outcome));
}

/// Sends `text` to the server, closes our half, and returns all that comes back.
std::string ask(Loopback& lab, const std::string& text) {
  return ask_all(lab.loop(), lab.target(), {text}).front().text;
}

struct ModeCase {
  const char* name;
  const char* address;
  ConnectionMode mode;
  std::uint32_t connections_min;
  std::uint32_t connections_max;
};

class ConnectionModes : public testing::TestWithParam<ModeCase> {};

TEST_P(ConnectionModes, AllRequestsAreAnswered) {
  Loopback lab(quick_server(), GetParam().address);
  const auto run = lab.run({300}, GetParam().mode);
  const auto requests = static_cast<std::uint32_t>(run->records().size());
  ASSERT_GT(requests, 200U);
  EXPECT_EQ(count(*run, Outcome::kOk), requests);
  EXPECT_EQ(lab.server().stats()["completed"], requests);
  const std::uint32_t most = std::min(GetParam().connections_max, requests);
  EXPECT_GE(run->connections_made(), std::min(GetParam().connections_min, requests));
  EXPECT_LE(run->connections_made(), most);
  for (const RequestRecord& record : run->records()) {
    EXPECT_EQ(record.tier, Tier::kVm);
    EXPECT_LE(record.sent_us, record.first_byte_us);
    EXPECT_LE(record.first_byte_us, record.done_us);
    EXPECT_GE(record.done_us, record.work_us);
  }
  EXPECT_EQ(lab.lines().size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, ConnectionModes,
    testing::Values(ModeCase{"New", "127.0.0.1", {ConnectionMode::Kind::kNew, 1}, kNever, kNever},
                    ModeCase{"NewV6", "::1", {ConnectionMode::Kind::kNew, 1}, kNever, kNever},
                    ModeCase{"Keep", "127.0.0.1", {ConnectionMode::Kind::kKeep, 10}, 20, 120},
                    ModeCase{"Pool", "127.0.0.1", {ConnectionMode::Kind::kPool, 2}, 2, 2},
                    ModeCase{"Warm", "127.0.0.1", {ConnectionMode::Kind::kWarm, 40}, 40, 40}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(Loopback, SecondZeroIsWhenItIsAskedFor) {
  Loopback lab(quick_server());
  const std::uint64_t before = lab.clock().now_ns();
  const std::uint64_t zero = before + 700'000'000;
  lab.run({50}, {ConnectionMode::Kind::kNew, 1}, 10'000, zero);
  EXPECT_GE(lab.clock().now_ns(), zero);
  const auto asked = static_cast<double>(lab.server().stats()["requests"]);
  EXPECT_GT(asked, 20);
}

TEST(Loopback, SecondZeroThatIsOverIsAnError) {
  Loopback lab(quick_server());
  const RatePlan plan = RatePlan::with_lead_in({50}, 2);
  RunConfig config{plan,
                   1'000'000'000,
                   lab.clock().now_ns() + 1'000'000'000,
                   {{ConnectionMode::Kind::kNew, 1}, {lab.target()}, {}, "/"}};
  const auto run =
      Run::start(lab.loop(), lab.clock(), std::move(config), open_arrivals(plan, 1), {});
  ASSERT_FALSE(run);
  EXPECT_NE(run.error().message().find("at the earliest"), std::string::npos);
}

TEST(Loopback, BusyTimeIsThatOfTheSlotsAndNotOfTheQueue) {
  ServerConfig config;
  config.slots = 1;
  config.times = {1, 50, 0};
  Loopback lab(config);
  lab.run({40}, {ConnectionMode::Kind::kNew, 1});
  const auto stats = lab.server().stats();
  const double seconds = static_cast<double>(stats["completed"]) * 0.05;
  EXPECT_NEAR(static_cast<double>(stats["busy_ns"]) / 1e9, seconds, 0.05 * seconds);
  EXPECT_GT(static_cast<double>(stats["in_flight_ns"]), 2 * static_cast<double>(stats["busy_ns"]));
}

/// Answers each request with "Connection: close" and leaves it to the client to close.
class Announcer {
 public:
  explicit Announcer(EventLoop& loop)
      : loop_(loop), listener_(*listen_on(Endpoint{*Address::parse("127.0.0.1"), 0})) {
    EXPECT_TRUE(loop_.watch(listener_.get(), EPOLLIN, [this](std::uint32_t) { accept(); }));
  }
  ~Announcer() {
    for (const auto& [fd, connection] : connections_) loop_.forget(fd);
    loop_.forget(listener_.get());
  }
  std::uint16_t port() const { return port_of(listener_.get()); }

 private:
  void accept() {
    auto accepted = *accept_from(listener_.get());
    if (!accepted) return;
    const int fd = accepted->get();
    connections_.emplace(fd, *std::move(accepted));
    EXPECT_TRUE(loop_.watch(fd, EPOLLIN, [this, fd](std::uint32_t) { answer(fd); }));
  }
  void answer(int fd) {
    char request[4096];
    if (::recv(fd, request, sizeof(request), 0) > 0) {
      constexpr std::string_view kAnswer =
          "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
      ::send(fd, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL);
    } else {
      loop_.forget(fd);
      connections_.erase(fd);
    }
  }

  EventLoop& loop_;
  UniqueFd listener_;
  std::map<int, UniqueFd> connections_;
};

TEST(Client, ClosesWhatTheAnswerSaysIsClosedAndDialsAgain) {
  Loopback lab(quick_server());
  Announcer announcer(lab.loop());
  lab.target().port = announcer.port();
  const auto run = lab.run({50}, {ConnectionMode::Kind::kPool, 1}, 2000);
  const auto requests = static_cast<std::uint32_t>(run->records().size());
  ASSERT_GT(requests, 20U);
  EXPECT_EQ(count(*run, Outcome::kOk), requests);
  EXPECT_EQ(run->connections_made(), requests);
}

TEST(Backend, ServesAsManyAsItsCapacityAndQueuesTheRest) {
  ServerConfig config;
  config.slots = 4;
  config.times.mean_ms = 20;  // 200 a second
  Loopback lab(config);
  const auto run = lab.run({400}, {});
  EXPECT_EQ(count(*run, Outcome::kOk), run->records().size());
  // The last one waits for all the work before it, spread over four slots.
  double work_us = 0;
  double end_us = 0;
  for (const RequestRecord& record : run->records()) {
    work_us += record.work_us;
    end_us = std::max(end_us, static_cast<double>(record.intended_ns) / 1000 + record.done_us);
  }
  EXPECT_NEAR(end_us, work_us / 4, work_us / 4 * 0.08);
}

TEST(Backend, AnswersWithMadeBytesAndChecksBodies) {
  Loopback lab(quick_server());
  const std::string made = ask(lab, "GET /bytes/100000 HTTP/1.1\r\nConnection: close\r\n\r\n");
  std::string expected;
  append_made_bytes(expected, 0, 100'000);
  ASSERT_GT(made.size(), expected.size());
  EXPECT_EQ(made.substr(made.size() - expected.size()), expected);

  std::string body;
  append_made_bytes(body, 0, 300'000);
  Checksum checksum;
  checksum.add(body);
  char hexadecimal[17];
  std::snprintf(hexadecimal, sizeof(hexadecimal), "%016llx",
                static_cast<unsigned long long>(checksum.value()));
  const std::string told = ask(lab, "POST / HTTP/1.1\r\nContent-Length: 300000\r\n\r\n" + body);
  EXPECT_NE(told.find("\"bytes\":300000"), std::string::npos) << told;
  EXPECT_NE(told.find(hexadecimal), std::string::npos) << told;
}

TEST(Backend, GoesOnWithAnAnswerThatIsLongerThanTheBuffers) {
  Loopback lab(quick_server());
  constexpr std::size_t kBytes = 16'000'000;
  const std::string made = ask(lab, "GET /bytes/16000000 HTTP/1.1\r\nConnection: close\r\n\r\n");
  ASSERT_GT(made.size(), kBytes);
  std::string last;
  append_made_bytes(last, kBytes - 100, 100);
  EXPECT_EQ(made.substr(made.size() - 100), last);
}

TEST(Backend, AnswersEachOfSeveralRequestsOnAConnection) {
  Loopback lab(quick_server());
  const std::string answers =
      ask(lab, "GET /r/1 HTTP/1.1\r\n\r\nGET /r/2 HTTP/1.1\r\n\r\nnonsense\r\n\r\n");
  EXPECT_EQ(lab.server().stats()["completed"], 2);
  EXPECT_EQ(lab.server().stats()["errors"], 1);
  EXPECT_NE(answers.find("400 Bad Request"), std::string::npos) << answers;
}

TEST(Backend, LogsHowLongEachAnswerTookAndAddsUpWhatWasInFlight) {
  std::ostringstream log;
  ServerConfig config;
  config.slots = 1;
  config.times = {.mean_ms = 20, .sigma = 0};
  config.log = &log;
  Loopback lab(config);
  // The second one is read only when the first is answered; what asks for no work is not logged.
  ask(lab, "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\nGET /stats HTTP/1.1\r\n\r\n");
  std::istringstream lines(log.str());
  std::vector<double> took_ms;
  for (double us = 0; lines >> us;) took_ms.push_back(us / 1000);
  ASSERT_EQ(took_ms.size(), 2U) << log.str();
  EXPECT_NEAR(took_ms[0], 20, 10);
  EXPECT_NEAR(took_ms[1], 20, 10);
  const double in_flight_ms = lab.server().stats()["in_flight_ns"].get<double>() / 1e6;
  EXPECT_NEAR(in_flight_ms, took_ms[0] + took_ms[1], 2);
}

TEST(Backend, SlowsDownOnDemand) {
  Loopback lab(quick_server());
  ask(lab, "PUT /control?slow=40 HTTP/1.1\r\nConnection: close\r\n\r\n");
  const std::string answer = ask(lab, "GET /r/1 HTTP/1.1\r\nConnection: close\r\n\r\n");
  const auto at = answer.find("X-Flare-Work-Us: ");
  ASSERT_NE(at, std::string::npos) << answer;
  EXPECT_GT(std::stoi(answer.substr(at + 17)), 80'000);
  const auto date = answer.find("\r\nDate: ");
  ASSERT_NE(date, std::string::npos) << answer;
  EXPECT_EQ(answer.find(" GMT\r\n", date), date + 8 + 25) << answer;
}

TEST(Load, TellsWhenSecondZeroBegan) {
  Loopback lab(quick_server());
  const std::uint64_t before_ns = lab.clock().now_ns();
  const auto run = lab.run({50}, {});
  const std::uint64_t after_ns = lab.clock().now_ns();
  EXPECT_GT(run->zero_ns(), before_ns);
  const RequestRecord& last = run->records().back();
  const auto intended_ns = static_cast<std::uint64_t>(last.intended_ns);
  EXPECT_LE(run->zero_ns() + intended_ns + std::uint64_t{last.done_us} * 1000, after_ns);
  EXPECT_GE(run->zero_ns() + 1'100'000'000, after_ns) << "the run of a second is just over";
}

TEST(Load, CountsRefusedConnections) {
  Loopback lab(quick_server());
  lab.target().port = 1;  // nobody listens there
  const auto run = lab.run({50}, {});
  EXPECT_EQ(count(*run, Outcome::kRefused), run->records().size());
  EXPECT_EQ(latencies_of({run->records().front().done_us}).p50_ms, std::nullopt);
}

TEST(Load, GivesUpInTimeAndLeavesNoRequestOpen) {
  ServerConfig config;
  config.slots = 1;
  config.times = {.mean_ms = 250, .sigma = 0};
  Loopback lab(config);
  const auto run = lab.run({20}, {}, 600);
  EXPECT_GT(count(*run, Outcome::kTimeout), run->records().size() / 2);
  EXPECT_GE(count(*run, Outcome::kOk), 2U);
  EXPECT_EQ(count(*run, Outcome::kPending), 0U);
}

TEST(Load, APoolThatIsFullKeepsRequestsWaiting) {
  ServerConfig config;
  config.slots = 0;
  config.times = {.mean_ms = 50, .sigma = 0};
  Loopback lab(config);
  const auto run = lab.run({60}, {ConnectionMode::Kind::kPool, 1});
  // One connection carries 20 a second, so the 60 of one second take three.
  const RequestRecord& last = run->records().back();
  EXPECT_EQ(count(*run, Outcome::kOk), run->records().size());
  EXPECT_GT(last.done_us, 1'000'000U) << "measured from the intended start, not from the send";
}

}  // namespace
}  // namespace flare::lab
