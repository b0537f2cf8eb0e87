// Checks and counters in, verdicts out: over simulated time, and once with real checks.
#include "health/health_watch.h"

#include <gtest/gtest.h>

#include <fstream>

#include "scripted_server.h"

namespace flare {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t kSecond = 1'000'000'000;

class FakeClock final : public Clock {
 public:
  std::uint64_t now_ns() const override { return now; }
  std::uint64_t now = 1'000 * kSecond;
};

class FakeSource final : public HealthSource {
 public:
  BackendSample sample(std::uint32_t id) const override {
    ++reads;
    return samples[id];
  }
  SlowestNs slowest_ns(std::uint32_t, flare_tier) const override { return std::nullopt; }
  mutable std::map<std::uint32_t, BackendSample> samples;
  mutable std::size_t reads = 0;
};

class FakeSink final : public HealthSink {
 public:
  Result<void> set_health(const std::string& service, flare_tier tier,
                          const Verdicts& given) override {
    ++calls;
    if (fails) return Error("the write failed");
    verdicts[{service, tier}] = given;
    return {};
  }
  std::map<std::pair<std::string, flare_tier>, Verdicts> verdicts;
  std::size_t calls = 0;
  bool fails = false;
};

/// The log as lines.
class LogFile {
 public:
  LogFile() : file_(std::tmpfile()), log_(make_logger(::fileno(file_), true)) {}
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;
  ~LogFile() { std::fclose(file_); }
  Logger& log() { return *log_; }
  std::size_t lines_with(const std::string& text) {
    log_->flush();
    std::rewind(file_);
    std::size_t found = 0;
    std::array<char, 1024> line{};
    while (std::fgets(line.data(), line.size(), file_) != nullptr) {
      found += std::string(line.data()).find(text) != std::string::npos ? 1U : 0U;
    }
    return found;
  }

 private:
  std::FILE* file_;
  std::unique_ptr<Logger> log_;
};

Endpoint backend(std::uint32_t id) {
  return {*Address::parse("198.51." + std::to_string(id / 250) + "." + std::to_string(id % 250)),
          80};
}

WatchedTier tier(const std::string& service, std::uint32_t first, std::uint32_t count) {
  WatchedTier made;
  made.service = service;
  made.protocol = Protocol::kTcp;
  for (std::uint32_t id = first; id < first + count; ++id) {
    made.members.push_back({{backend(id), id, 1, 1, true, BackendHealth::Start::kUp}, true});
  }
  return made;
}

class WatchTest : public testing::Test {
 protected:
  void SetUp() override {
    auto made = HealthWatch::make({loop_, clock_, log_.log(), source_, sink_}, {}, 1);
    ASSERT_TRUE(made) << made.error().message();
    watch_ = *std::move(made);
  }
  void configure(const std::vector<WatchedTier>& tiers) {
    auto configured = watch_->configure(tiers);
    ASSERT_TRUE(configured) << configured.error().message();
  }
  void pass(double seconds) {
    const std::uint64_t end = clock_.now + static_cast<std::uint64_t>(seconds * 1e9);
    while (clock_.now < end) {
      clock_.now += kSecond / 10;
      watch_->step();
    }
  }
  void refuse(std::uint32_t id, std::uint64_t flows = 5) {
    source_.samples[id].flows_new += flows;
    source_.samples[id].refused += flows;
  }
  const HealthSink::Verdicts& told(const std::string& service) {
    return sink_.verdicts[{service, FLARE_TIER_VM}];
  }

  EventLoop loop_ = *EventLoop::make();
  FakeClock clock_;
  FakeSource source_;
  FakeSink sink_;
  LogFile log_;
  std::unique_ptr<HealthWatch> watch_;
};

TEST_F(WatchTest, TellsAnEjectionWithinThreeTenthsOfASecond) {
  configure({tier("web", 1, 3)});
  pass(2);
  refuse(2);
  pass(0.3);
  ASSERT_EQ(told("web").size(), 1U);
  EXPECT_EQ(told("web").begin()->first, backend(2));
  EXPECT_EQ(told("web").begin()->second.phase, HealthPhase::kEjected);
}

TEST_F(WatchTest, LogsEachChangeOnce) {
  configure({tier("web", 1, 3)});
  pass(1);
  refuse(2);
  pass(5);
  EXPECT_EQ(log_.lines_with("backend is ejected service=web tier=vm backend=198.51.0.2:80 "
                            "before=up reason=\"refused 5 connections in a row\""),
            1U);
  EXPECT_EQ(log_.lines_with("backend is"), 1U);
}

TEST_F(WatchTest, BoundsTheLinesOfOneMoment) {
  configure({tier("web", 1, 100)});
  pass(1);
  for (std::uint32_t id = 1; id <= 100; ++id) refuse(id);
  pass(1);
  EXPECT_EQ(log_.lines_with("backend is ejected"), 20U);
  EXPECT_EQ(log_.lines_with("changes=30"), 1U);
}

TEST_F(WatchTest, TellsNothingWhereNothingChanges) {
  configure({tier("web", 1, 3)});
  const std::size_t before = sink_.calls;
  pass(30);
  EXPECT_EQ(sink_.calls, before);
}

TEST_F(WatchTest, TellsStepsOfWeightOnceASecond) {
  WatchedTier slow = tier("web", 1, 40);
  slow.health.slow_start = milliseconds(10'000);
  configure({slow});
  pass(1);
  for (std::uint32_t id = 1; id <= 10; ++id) {
    refuse(id);
    pass(0.2);
  }
  pass(9);
  for (int i = 0; i < 60; ++i) {
    for (std::uint32_t id = 1; id <= 10; ++id) {
      source_.samples[id].flows_new += 3;
      source_.samples[id].accepted += 3;
    }
    pass(0.1);
  }
  ASSERT_EQ(told("web").size(), 10U) << "they grow";
  EXPECT_EQ(told("web").begin()->second.phase, HealthPhase::kSlowStart);
  const std::size_t before = sink_.calls;
  pass(3);
  EXPECT_LE(sink_.calls - before, 4U);
  EXPECT_GE(sink_.calls - before, 2U);
  pass(10);
  EXPECT_TRUE(told("web").empty()) << "all of them have their weight";
}

TEST_F(WatchTest, TriesAgainWhatCouldNotBeWritten) {
  configure({tier("web", 1, 3)});
  pass(1);
  sink_.fails = true;
  refuse(2);
  pass(3);
  EXPECT_TRUE(told("web").empty());
  EXPECT_EQ(log_.lines_with("cannot act on the health of backends"), 1U) << "once";
  sink_.fails = false;
  pass(0.2);
  EXPECT_EQ(told("web").size(), 1U);
  EXPECT_EQ(log_.lines_with("is acted on again"), 1U);
}

TEST_F(WatchTest, KeepsHealthOverAChangeOfConfiguration) {
  configure({tier("web", 1, 3)});
  pass(1);
  refuse(2);
  pass(1);
  configure({tier("api", 11, 1), tier("web", 2, 4)});
  EXPECT_EQ(told("web").size(), 1U);
  EXPECT_EQ(told("web").begin()->first, backend(2));
}

TEST_F(WatchTest, TakesItsWordBackWhereItWatchesNoMore) {
  configure({tier("web", 1, 3)});
  pass(1);
  refuse(2);
  pass(1);
  configure({});
  EXPECT_TRUE(told("web").empty());
  EXPECT_TRUE(watch_->view("").empty());
}

TEST_F(WatchTest, ReadsABoundedNumberOfCountersInAStep) {
  std::vector<WatchedTier> tiers;
  for (std::uint32_t i = 0; i < 20; ++i) {
    tiers.push_back(tier("web" + std::to_string(i), 1 + i * 1000, 1000));
  }
  configure(tiers);
  std::size_t most = 0;
  std::size_t before = source_.reads;
  for (int i = 0; i < 30; ++i) {
    pass(0.1);
    most = std::max(most, source_.reads - before);
    before = source_.reads;
  }
  EXPECT_LE(most, 3000U);
  // Everybody has had a turn, so that an ejection shows in every tier.
  for (std::uint32_t i = 0; i < 20; ++i) refuse(1 + i * 1000);
  pass(1.5);
  for (std::uint32_t i = 0; i < 20; ++i) EXPECT_EQ(told("web" + std::to_string(i)).size(), 1U) << i;
}

TEST_F(WatchTest, ShowsWhatItThinksOfEach) {
  configure({tier("api", 11, 1), tier("web", 1, 2)});
  pass(1);
  refuse(1);
  refuse(2);
  pass(1);
  EXPECT_EQ(watch_->view("").size(), 3U);
  const auto views = watch_->view("web");
  ASSERT_EQ(views.size(), 2U);
  EXPECT_EQ(views[0].verdict.phase, HealthPhase::kEjected);
  EXPECT_NE(views[1].held, "");
}

/// Real checks of real servers; the clock is the real one.
TEST(HealthWatchWithChecks, FollowsABackendThatDiesAndComesBack) {
  EventLoop loop = *EventLoop::make();
  const MonotonicClock clock;
  FakeSource source;
  FakeSink sink;
  LogFile log;
  auto watch = HealthWatch::make({loop, clock, log.log(), source, sink}, {}, 1);
  ASSERT_TRUE(watch);
  std::atomic<int> status = 200;
  const auto answer = [&status](test::ScriptedServer& self, int fd) {
    self.read_head(fd);
    self.send(fd, "HTTP/1.1 " + std::to_string(status) + " X\r\n\r\n");
  };
  test::ScriptedServer one("127.0.0.1", answer);
  test::ScriptedServer two("127.0.0.1", test::answers("HTTP/1.1 200 OK\r\n\r\n"));
  WatchedTier watched = tier("web", 1, 2);
  watched.members[0].tier.endpoint = one.endpoint();
  watched.members[1].tier.endpoint = two.endpoint();
  watched.health.check = HealthConfig::Check::kHttp;
  watched.health.interval = milliseconds(50);
  watched.health.timeout = milliseconds(50);
  ASSERT_TRUE((*watch)->configure({watched}));
  const auto& told = sink.verdicts[{"web", FLARE_TIER_VM}];
  const auto turn_until = [&](auto done) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(3);
    while (!done() && std::chrono::steady_clock::now() < end) {
      if (!loop.turn(20)) return false;
    }
    return done();
  };
  EXPECT_TRUE(turn_until([&] { return (*watch)->view("")[1].last_check == "passed: status 200"; }));
  EXPECT_TRUE(told.empty());
  status = 500;
  ASSERT_TRUE(turn_until([&] { return told.size() == 1; }));
  EXPECT_EQ(told.begin()->first, one.endpoint());
  EXPECT_EQ(told.begin()->second.state, FLARE_BACKEND_DOWN);
  EXPECT_EQ(told.begin()->second.why, "check: status 500");
  status = 200;
  EXPECT_TRUE(turn_until([&] { return told.empty(); }));
  EXPECT_EQ(log.lines_with("backend is down"), 1U);
  EXPECT_EQ(log.lines_with("backend is up again"), 1U);
}

}  // namespace
}  // namespace flare
