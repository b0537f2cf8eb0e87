// Services that call services, on loopback and in one loop.
#include <gtest/gtest.h>

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ask.h"
#include "backend/server.h"
#include "base/unique_fd.h"
#include "common/socket.h"

namespace flare::lab {
namespace {

Endpoint port_of_loopback(std::uint16_t port) { return {*Address::parse("127.0.0.1"), port}; }

/// A service that works for a constant time.
ServerConfig service(double work_ms, std::vector<Endpoint> calls = {}) {
  ServerConfig config;
  config.listen = {port_of_loopback(0)};
  config.slots = 0;
  config.times = {.mean_ms = work_ms, .sigma = 0};
  config.calls.caller.targets = std::move(calls);
  return config;
}

std::string get(const std::string& path = "/", const std::string& fields = "") {
  return "GET " + path + " HTTP/1.1\r\n" + fields + "Connection: close\r\n\r\n";
}

/// Closes a connection so that its peer sees a reset.
void reset(UniqueFd fd) {
  const linger at_once{1, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

class Chain : public testing::Test {
 protected:
  Endpoint add(ServerConfig config) {
    const Address address = config.listen.front().address;
    servers_.push_back(*Server::start(loop_, clock_, std::move(config)));
    return {address, servers_.back()->port()};
  }
  std::vector<Told> ask(const Endpoint& target, const std::vector<std::string>& texts) {
    return ask_all(loop_, target, texts);
  }
  Told ask(const Endpoint& target, const std::string& text) {
    return ask(target, std::vector<std::string>{text}).front();
  }
  /// The figures of the service that was added as the `at`th.
  nlohmann::json stats(std::size_t at) const { return servers_[at]->stats(); }
  EventLoop& loop() { return loop_; }

 private:
  MonotonicClock clock_;
  EventLoop loop_ = *EventLoop::make();
  std::vector<std::unique_ptr<Server>> servers_;
};

TEST_F(Chain, WaitsForTheSlowestOfParallelCalls) {
  const Endpoint fast = add(service(250));
  const Endpoint slow = add(service(300));
  const Endpoint front = add(service(50, {fast, slow}));
  const Told told = ask(front, get());
  EXPECT_TRUE(told.text.starts_with("HTTP/1.1 200 OK")) << told.text;
  EXPECT_GE(told.after_ms, 350);
  EXPECT_LT(told.after_ms, 590) << "in sequence it would be 600";
  EXPECT_EQ(stats(0)["completed"], 1);
  EXPECT_EQ(stats(1)["completed"], 1);
  EXPECT_EQ(stats(2)["calls"], 2);
  EXPECT_EQ(stats(2)["calls_failed"], 0);
}

TEST_F(Chain, CallsOneAfterTheOtherInSequence) {
  const Endpoint first = add(service(100));
  const Endpoint second = add(service(150));
  ServerConfig config = service(50, {first, second});
  config.calls.in_sequence = true;
  const Told told = ask(add(config), get());
  EXPECT_TRUE(told.text.starts_with("HTTP/1.1 200 OK")) << told.text;
  EXPECT_GE(told.after_ms, 300) << "at once it would be 200";
  EXPECT_LT(told.after_ms, 600);
  EXPECT_EQ(stats(2)["calls"], 2);
}

TEST_F(Chain, ThreeServicesDeepAnswerWhenTheLastHas) {
  const Endpoint last = add(service(60));
  const Endpoint middle = add(service(50, {last}));
  const Told told = ask(add(service(40, {middle})), get());
  EXPECT_TRUE(told.text.starts_with("HTTP/1.1 200 OK")) << told.text;
  EXPECT_GE(told.after_ms, 150);
}

TEST_F(Chain, CallsOverIpv6) {
  ServerConfig config = service(1);
  config.listen = {Endpoint{*Address::parse("::1"), 0}};
  const Endpoint v6 = add(config);
  EXPECT_TRUE(ask(add(service(1, {v6})), get()).text.starts_with("HTTP/1.1 200 OK"));
  EXPECT_EQ(stats(0)["completed"], 1);
}

TEST_F(Chain, HoldsItsSlotWhileItWaitsForItsCalls) {
  const Endpoint called = add(service(100));
  ServerConfig config = service(20, {called});
  config.slots = 1;
  const Endpoint front = add(config);
  const auto told = ask(front, {get(), get()});
  const double first_ms = std::min(told[0].after_ms, told[1].after_ms);
  const double second_ms = std::max(told[0].after_ms, told[1].after_ms);
  EXPECT_GE(second_ms, 240) << "with a free slot during the calls it would be 140";
  EXPECT_LT(second_ms, 600);
  EXPECT_EQ(stats(1)["busy"], 0);
  EXPECT_EQ(stats(1)["waiting_peak"], 1);
  const double in_flight_ms = stats(1)["in_flight_ns"].get<double>() / 1e6;
  EXPECT_LE(in_flight_ms, first_ms + second_ms);
  EXPECT_GE(in_flight_ms, 300) << "120 and 240, less what lies between the two requests";
}

TEST_F(Chain, ACallIsMadeToTheEndThoughTheClientLeaves) {
  const Endpoint called = add(service(60));
  ServerConfig config = service(0, {called});
  config.slots = 1;
  const Endpoint front = add(config);
  Asker leaver(front, get());
  for (int turn = 0; turn < 1'000 && stats(0)["busy"] == 0; ++turn) {
    leaver.progress();
    EXPECT_TRUE(loop().turn(1));
  }
  reset(std::move(leaver).socket());
  const Told told = ask(front, get());
  EXPECT_TRUE(told.text.starts_with("HTTP/1.1 200 OK")) << told.text;
  EXPECT_GE(told.after_ms, 90) << "the slot is held until the call of the first has ended";
  EXPECT_EQ(stats(1)["abandoned"], 1);
  EXPECT_EQ(stats(1)["completed"], 1);
  EXPECT_EQ(stats(1)["busy"], 0);
}

TEST_F(Chain, PassesTheRequestNumberAndItsWorkOn) {
  ServerConfig config = service(2);
  config.times = {.seed = 5, .mean_ms = 20, .sigma = 0.5};
  const Endpoint called = add(config);
  ServerConfig front_config = service(0, {called});
  front_config.calls.tier_from = 0;
  const Endpoint front = add(front_config);
  for (const std::uint64_t number : {17U, 18U, 19U}) {
    const std::uint64_t work_us = config.times.of(number) / 1000;
    const Told once = ask(front, get("/r/" + std::to_string(number)));
    EXPECT_EQ(once.field("X-Flare-Work-Us"), std::to_string(work_us));
    const Told half = ask(front, get("/r/" + std::to_string(number), "X-Work: 0.5\r\n"));
    EXPECT_NEAR(std::stod(half.field("X-Flare-Work-Us")), static_cast<double>(work_us) / 2, 1);
  }
}

TEST_F(Chain, BillsTheWaitingForItsCalls) {
  const Endpoint called = add(service(100));
  const Told told = ask(add(service(30, {called})), get());
  EXPECT_EQ(told.field("X-Flare-Tier"), "vm");
  const double billed_ms = std::stod(told.field("X-Flare-Work-Us")) / 1000;
  EXPECT_GE(billed_ms, 130);
  EXPECT_LE(billed_ms, told.after_ms);
}

TEST_F(Chain, ThePassedOnTierIsThatOfTheNamedCall) {
  const Endpoint last = add(service(50));
  ServerConfig bottleneck = service(30, {last});
  bottleneck.tier = "serverless";
  bottleneck.instances.cold_starts.median_ms = 40;
  const Endpoint called = add(bottleneck);
  ServerConfig front = service(20, {last, called});
  front.tier = "front";
  front.calls.tier_from = 1;
  const Endpoint asked = add(front);
  const Told cold = ask(asked, get());
  EXPECT_EQ(cold.field("X-Flare-Tier"), "serverless") << cold.text;
  EXPECT_EQ(cold.field("X-Flare-Start"), "cold");
  const double billed_ms = std::stod(cold.field("X-Flare-Work-Us")) / 1000;
  EXPECT_GE(billed_ms, 80);
  EXPECT_LE(billed_ms, cold.after_ms - 60) << "neither the front's own work nor the cold start";
  EXPECT_EQ(cold.text.find("front"), std::string::npos);
  EXPECT_EQ(ask(asked, get()).field("X-Flare-Start"), "warm");
}

TEST_F(Chain, APoolUsesConnectionsAgainAndOpensWhatItNeeds) {
  const Endpoint called = add(service(40));
  ServerConfig config = service(0, {called});
  config.calls.caller.reuse = true;
  const Endpoint front = add(config);
  for (int turn = 0; turn < 5; ++turn) ask(front, get());
  EXPECT_EQ(stats(0)["accepted"], 1) << "one at a time needs one";
  ask(front, std::vector<std::string>(6, get()));
  EXPECT_EQ(stats(0)["accepted"], 6) << "six at once need five more";
  ask(front, std::vector<std::string>(6, get()));
  EXPECT_EQ(stats(0)["accepted"], 6);
  EXPECT_EQ(stats(0)["completed"], 17);
  EXPECT_EQ(stats(0)["connections"], 6);
}

TEST_F(Chain, ANewConnectionIsClosedAfterItsCall) {
  const Endpoint called = add(service(0));
  const Endpoint front = add(service(0, {called}));
  for (int turn = 0; turn < 5; ++turn) ask(front, get());
  EXPECT_EQ(stats(0)["accepted"], 5);
  EXPECT_EQ(stats(0)["connections"], 0);
}

TEST_F(Chain, ARefusedCallIsABadGatewayThatSaysWhich) {
  const Endpoint called = add(service(0));
  const Endpoint nobody = port_of_loopback(1);
  ServerConfig config = service(0, {called, nobody});
  config.slots = 1;
  const Endpoint front = add(config);
  for (int turn = 0; turn < 2; ++turn) {
    const Told told = ask(front, get());
    EXPECT_TRUE(told.text.starts_with("HTTP/1.1 502 Bad Gateway\r\n")) << told.text;
    EXPECT_TRUE(told.text.ends_with("\r\n\r\ncall to 127.0.0.1:1 failed: refused\n")) << told.text;
  }
  EXPECT_EQ(stats(1)["calls"], 4);
  EXPECT_EQ(stats(1)["calls_failed"], 2);
  EXPECT_EQ(stats(1)["busy"], 0) << "the slot is free again";
}

TEST_F(Chain, AFailedCallEndsASequence) {
  const Endpoint called = add(service(0));
  ServerConfig config = service(0, {port_of_loopback(1), called});
  config.calls.in_sequence = true;
  EXPECT_TRUE(ask(add(config), get()).text.starts_with("HTTP/1.1 502 "));
  EXPECT_EQ(stats(0)["requests"], 0);
  EXPECT_EQ(stats(1)["calls"], 1);
}

TEST_F(Chain, ACallThatTakesTooLongFails) {
  const Endpoint called = add(service(2'000));
  ServerConfig config = service(0, {called});
  config.calls.caller.timeout_ns = 60'000'000;
  const Endpoint front = add(config);
  const Told told = ask(front, get());
  EXPECT_NE(told.text.find("failed: timeout\n"), std::string::npos) << told.text;
  EXPECT_GE(told.after_ms, 60);
  EXPECT_LT(told.after_ms, 500);
  EXPECT_EQ(stats(1)["calls_failed"], 1);
  EXPECT_EQ(ask(front, get("/", "X-Work: 0\r\n")).text.substr(0, 12), "HTTP/1.1 200");
}

TEST_F(Chain, AnAnswerOfAnotherStatusIsAFailedCall) {
  const Endpoint broken = add(service(0, {port_of_loopback(1)}));
  ServerConfig config = service(0, {broken});
  config.calls.tier_from = 0;
  const Told told = ask(add(config), get());
  EXPECT_TRUE(told.text.starts_with("HTTP/1.1 502 "));
  EXPECT_NE(told.text.find("call to " + broken.text() + " failed: status 502\n"), std::string::npos)
      << told.text;
  EXPECT_EQ(told.field("X-Flare-Tier"), "vm") << "the answer that failed still says its tier";
}

TEST_F(Chain, WhatGetsNoInstanceIsThrottled) {
  ServerConfig limited = service(20);
  limited.tier = "serverless";
  limited.instances.cold_starts.median_ms = 10;
  limited.instances.scale_instances = 2;
  limited.instances.scale_every_ns = 10'000'000'000;
  const Endpoint called = add(limited);
  ServerConfig config = service(0, {called});
  config.calls.tier_from = 0;
  const Endpoint front = add(config);
  int throttled = 0;
  for (const Told& told : ask(front, std::vector<std::string>(5, get()))) {
    EXPECT_EQ(told.field("X-Flare-Tier"), "serverless");
    if (told.text.find("failed: status 429\n") != std::string::npos) ++throttled;
  }
  EXPECT_EQ(throttled, 3);
  int direct = 0;
  for (const Told& told : ask(called, std::vector<std::string>(3, get()))) {
    direct += told.text.starts_with("HTTP/1.1 429 Too Many Requests\r\n") ? 1 : 0;
  }
  EXPECT_EQ(direct, 1) << "two instances are idle";
  const nlohmann::json figures = stats(0);
  EXPECT_EQ(figures["throttled"], 4);
  EXPECT_EQ(figures["completed"], 4);
  EXPECT_EQ(figures["requests"], 8);
  EXPECT_EQ(figures["cold_starts"], 2);
  EXPECT_EQ(figures["idle_instances"], 2);
}

TEST_F(Chain, AResetCallFails) {
  const UniqueFd listener = *listen_on(port_of_loopback(0));
  ASSERT_TRUE(loop().watch(listener.get(), EPOLLIN, [&](std::uint32_t) {
    auto accepted = accept_from(listener.get());
    ASSERT_TRUE(accepted && *accepted);
    reset(**std::move(accepted));
  }));
  const Endpoint front = add(service(0, {port_of_loopback(port_of(listener.get()))}));
  const Told told = ask(front, get());
  EXPECT_NE(told.text.find("failed: reset\n"), std::string::npos) << told.text;
  loop().forget(listener.get());
}

/// Answers each request with "Connection: close" and never closes.
class Announcer {
 public:
  explicit Announcer(EventLoop& loop) : loop_(loop), listener_(*listen_on(port_of_loopback(0))) {
    EXPECT_TRUE(loop_.watch(listener_.get(), EPOLLIN, [this](std::uint32_t) { accept(); }));
  }
  ~Announcer() {
    for (const UniqueFd& taken : taken_) loop_.forget(taken.get());
    loop_.forget(listener_.get());
  }
  Endpoint endpoint() const { return port_of_loopback(port_of(listener_.get())); }
  std::size_t taken() const { return taken_.size(); }
  std::size_t closed() const { return closed_; }

 private:
  void accept() {
    taken_.push_back(**accept_from(listener_.get()));
    const int fd = taken_.back().get();
    EXPECT_TRUE(loop_.watch(fd, EPOLLIN, [this, fd](std::uint32_t) { answer(fd); }));
  }
  void answer(int fd) {
    char request[4096];
    if (::recv(fd, request, sizeof(request), 0) > 0) {
      constexpr std::string_view kAnswer =
          "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
      ::send(fd, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL);
    } else {
      ++closed_;
      loop_.forget(fd);
    }
  }

  EventLoop& loop_;
  UniqueFd listener_;
  std::vector<UniqueFd> taken_;
  std::size_t closed_ = 0;
};

TEST_F(Chain, APoolDoesNotUseAgainWhatTheAnswerSaysIsClosed) {
  Announcer announcer(loop());
  ServerConfig config = service(0, {announcer.endpoint()});
  config.calls.caller.reuse = true;
  config.calls.caller.timeout_ns = 100'000'000;
  const Endpoint front = add(config);
  for (int turn = 0; turn < 2; ++turn) {
    EXPECT_TRUE(ask(front, get()).text.starts_with("HTTP/1.1 200 OK"));
  }
  EXPECT_EQ(announcer.taken(), 2U);
  EXPECT_EQ(announcer.closed(), 0U) << "the server is to close first";
  for (int turn = 0; turn < 300 && announcer.closed() < 2; ++turn) EXPECT_TRUE(loop().turn(1));
  EXPECT_EQ(announcer.closed(), 2U) << "it had its time";
}

}  // namespace
}  // namespace flare::lab
