// The sweep on real maps: what it deletes, what it spares, what it counts.
#include "kernel/flow_sweep.h"

#include <atomic>
#include <chrono>
#include <thread>

#include "kernel_test.h"

namespace flare {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kNow = 100'000 * kSecond;

class FlowSweepTest : public LoadedTest {
 protected:
  void SetUp() override {
    LoadedTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    flare_settings settings{};
    settings.tcp_handshake_ns = 20 * kSecond;
    settings.tcp_established_ns = 3600 * kSecond;
    settings.tcp_closing_ns = 10 * kSecond;
    settings.tcp_reset_ns = 5 * kSecond;
    settings.udp_unreplied_ns = 30 * kSecond;
    settings.udp_replied_ns = 120 * kSecond;
    ASSERT_OK(maps().settings.update(0, settings));
  }

  static flare_flow_key client_key(__u16 port) {
    flare_flow_key key{};
    key.src.word[3] = 1;
    key.dst.word[3] = 2;
    key.sport = port;
    key.proto = 6;
    return key;
  }
  static flare_flow_key backend_key(__u16 port) {
    flare_flow_key key{};
    key.src.word[3] = 3;
    key.dst.word[3] = 2;
    key.dport = port;
    key.proto = 6;
    return key;
  }

  /// Writes a flow of service 1, backend 5, last used `age_s` ago by either side.
  void add_flow(__u16 port, std::uint64_t age_s, __u8 flags, bool embryo = false) {
    flare_flow forward{};
    forward.peer = backend_key(port);
    forward.created_ns = kNow - 5000 * kSecond;
    forward.seen_ns = kNow - age_s * kSecond;
    forward.service_id = 1;
    forward.tier = FLARE_TIER_SERVERLESS;
    forward.backend_id = 5;
    forward.flags = static_cast<__u8>(flags | (embryo ? 0 : FLARE_FLOW_COUNTED));
    flare_flow reverse = forward;
    reverse.peer = client_key(port);
    reverse.dir = FLARE_DIR_REVERSE;
    const auto& map = embryo ? maps().embryos : maps().flows;
    ASSERT_OK(map.update(forward.peer, reverse));
    ASSERT_OK(map.update(reverse.peer, forward));
    if (!embryo && !(flags & FLARE_FLOW_CLOSED)) {
      maps().admission.add(1, &flare_admission::active, 1);
    }
  }

  /// One whole pass, a few entries at a time, summed up.
  SweepReport pass(FlowSweep& sweep, std::uint64_t now_ns = kNow) {
    SweepReport sum;
    while (!sum.pass_done) {
      auto step = sweep.step(now_ns, 3);
      EXPECT_OK(step);
      if (!step) return sum;
      sum.seen += step->seen;
      sum.expired += step->expired;
      sum.orphans += step->orphans;
      sum.spared += step->spared;
      sum.closed += step->closed;
      sum.given_back += step->given_back;
      sum.pass_done = step->pass_done;
      sum.corrections = step->corrections;
    }
    return sum;
  }
  std::uint64_t active() const { return maps().admission.get(1, &flare_admission::active); }
  std::uint64_t flow_entries() const { return *maps().flows.count(); }
};

TEST_F(FlowSweepTest, DeletesBothEntriesOfExpiredFlowsOnly) {
  add_flow(1, 10, 0);
  add_flow(2, 3601, 0);
  add_flow(3, 3599, 0);
  add_flow(4, 6, FLARE_FLOW_RST | FLARE_FLOW_CLOSED);
  FlowSweep sweep(maps());
  SweepReport report = pass(sweep);
  EXPECT_EQ(report.expired, 2U);
  EXPECT_EQ(report.orphans, 0U);
  EXPECT_EQ(flow_entries(), 4U);
  EXPECT_TRUE(maps().flows.lookup(client_key(1)));
  EXPECT_TRUE(maps().flows.lookup(backend_key(3)));
  EXPECT_FALSE(maps().flows.lookup(client_key(2)));
  EXPECT_FALSE(maps().flows.lookup(backend_key(2)));
}

TEST_F(FlowSweepTest, CountsAnEndThatNoPacketShowedAndNoOther) {
  add_flow(2, 3601, 0);
  add_flow(4, 6, FLARE_FLOW_RST | FLARE_FLOW_CLOSED);
  ASSERT_EQ(active(), 1U);
  FlowSweep sweep(maps());
  SweepReport report = pass(sweep);
  EXPECT_EQ(report.expired, 2U);
  EXPECT_EQ(report.closed, 1U);
  EXPECT_EQ(active(), 0U);
  EXPECT_TRUE(report.corrections.empty());
  EXPECT_EQ(maps().service_totals(1).tier[FLARE_TIER_SERVERLESS].flows_closed, 1U);
  EXPECT_EQ(maps().backend_totals(5).traffic.flows_closed, 1U);
}

TEST_F(FlowSweepTest, KeepsAFlowThatItsBackendStillUses) {
  add_flow(2, 3601, 0);
  auto reverse = maps().flows.lookup(backend_key(2));
  reverse->seen_ns = kNow - kSecond;
  ASSERT_OK(maps().flows.update(backend_key(2), *reverse));
  FlowSweep sweep(maps());
  EXPECT_EQ(pass(sweep).expired, 0U);
  EXPECT_EQ(flow_entries(), 2U);
}

TEST_F(FlowSweepTest, SparesAClientThatDialsAgainInThatMoment) {
  using Clock = std::chrono::steady_clock;
  constexpr int kRounds = 20'000;
  std::atomic<int> round = 0, written = 0;
  flare_flow forward{}, reverse{};
  std::thread datapath([&] {
    for (int i = 1; i <= kRounds; ++i) {
      while (round < i) {
      }
      const auto moment = Clock::now() + std::chrono::nanoseconds(i % 400 * 50);
      while (Clock::now() < moment) {
      }
      EXPECT_OK(maps().flows.update(backend_key(2), reverse));
      EXPECT_OK(maps().flows.update(client_key(2), forward));
      written = i;
    }
  });
  FlowSweep sweep(maps());
  int lost = 0, spared = 0;
  for (int i = 1; i <= kRounds; ++i) {
    add_flow(2, 3601, FLARE_FLOW_CLOSED);
    forward = *maps().flows.lookup(client_key(2));
    reverse = *maps().flows.lookup(backend_key(2));
    forward.created_ns = forward.seen_ns = reverse.created_ns = reverse.seen_ns = kNow;
    round = i;
    spared += static_cast<int>(pass(sweep).spared);
    while (written < i) {
    }
    const bool is_whole = maps().flows.lookup(client_key(2)) && maps().flows.lookup(backend_key(2));
    lost += is_whole ? 0 : 1;
  }
  datapath.join();
  EXPECT_EQ(lost, 0);
  EXPECT_GT(spared, 0) << "they never met";
  RecordProperty("rounds", kRounds);
  RecordProperty("spared", spared);
}

TEST_F(FlowSweepTest, RemovesEntriesWithoutTwin) {
  add_flow(1, 3000, 0);
  add_flow(2, 3000, 0);
  ASSERT_OK(maps().flows.erase(backend_key(1)));
  ASSERT_OK(maps().flows.erase(client_key(2)));
  FlowSweep sweep(maps());
  SweepReport report = pass(sweep);
  EXPECT_EQ(report.orphans, 2U);
  EXPECT_EQ(flow_entries(), 0U);
}

TEST_F(FlowSweepTest, LeavesAYoungEntryTimeToGetItsTwin) {
  add_flow(1, 3000, 0);
  ASSERT_OK(maps().flows.erase(client_key(1)));
  auto reverse = maps().flows.lookup(backend_key(1));
  reverse->created_ns = kNow - kSecond;
  ASSERT_OK(maps().flows.update(backend_key(1), *reverse));
  FlowSweep sweep(maps());
  EXPECT_EQ(pass(sweep).orphans, 0U);
  EXPECT_EQ(flow_entries(), 1U);
}

TEST_F(FlowSweepTest, ATwinInTheOtherMapIsATwin) {
  add_flow(1, 3000, 0);
  auto reverse = maps().flows.lookup(backend_key(1));
  ASSERT_OK(maps().flows.erase(backend_key(1)));
  ASSERT_OK(maps().embryos.update(backend_key(1), *reverse));
  FlowSweep sweep(maps());
  SweepReport report = pass(sweep);
  EXPECT_EQ(report.orphans, 0U);
  EXPECT_EQ(flow_entries(), 1U);
}

TEST_F(FlowSweepTest, RemovesHandshakesThatNeverFinished) {
  add_flow(1, 21, 0, true);
  add_flow(2, 19, 0, true);
  FlowSweep sweep(maps());
  EXPECT_EQ(pass(sweep).expired, 1U);
  EXPECT_EQ(*maps().embryos.count(), 2U);
  EXPECT_TRUE(maps().embryos.lookup(client_key(2)));
}

TEST_F(FlowSweepTest, GivesTheHourBackWhatNoRequestCameOf) {
  constexpr std::uint64_t kCreated = kNow - 5000 * kSecond;
  constexpr std::uint64_t kHour = kCreated / (3600 * kSecond) << 40;
  const auto rewrite = [this](const flare_flow_key& key, const auto& change) {
    auto flow = maps().embryos.lookup(key);
    ASSERT_TRUE(flow);
    change(*flow);
    ASSERT_OK(maps().embryos.update(key, *flow));
  };
  const auto replied = [](flare_flow& flow) { flow.flags |= FLARE_FLOW_REPLIED; };
  const auto went_on = [](flare_flow& flow) { flow.packets = 2; };
  for (__u16 port = 1; port <= 5; ++port) add_flow(port, 21, 0, true);
  rewrite(backend_key(1), replied);  // a SYN of nobody, which the backend answered
  rewrite(client_key(2), went_on);   // SYNs again and again, which it did not
  rewrite(backend_key(3), replied);  // settled, and kept here as `flows` is full
  rewrite(client_key(3), went_on);
  rewrite(client_key(4), [](flare_flow& flow) { flow.created_ns -= 3600 * kSecond; });
  rewrite(client_key(5), [](flare_flow& flow) { flow.tier = FLARE_TIER_VM; });
  add_flow(6, 4000, 0);  // established, and over
  maps().admission.set(1, &flare_admission::hour, kHour + 10);
  FlowSweep sweep(maps());
  const SweepReport report = pass(sweep);
  EXPECT_EQ(report.expired, 6U);
  EXPECT_EQ(report.given_back, 2U);
  EXPECT_EQ(maps().admission.get(1, &flare_admission::hour), kHour + 8);
}

TEST_F(FlowSweepTest, GivesAnHourNoMoreThanItTook) {
  add_flow(1, 21, 0, true);
  maps().admission.set(1, &flare_admission::hour, (kNow - 5000 * kSecond) / (3600 * kSecond) << 40);
  const std::uint64_t before = maps().admission.get(1, &flare_admission::hour);
  FlowSweep sweep(maps());
  EXPECT_EQ(pass(sweep).given_back, 0U);
  EXPECT_EQ(maps().admission.get(1, &flare_admission::hour), before);
}

TEST_F(FlowSweepTest, CorrectsTheCountOfActiveFlowsAndSaysByHowMuch) {
  for (__u16 port = 1; port <= 20; ++port) add_flow(port, 1, 0);
  maps().admission.set(1, &flare_admission::active, 27);
  maps().admission.set(2, &flare_admission::active, 3);
  FlowSweep sweep(maps());
  SweepReport report = pass(sweep);
  EXPECT_EQ(active(), 20U);
  EXPECT_EQ(maps().admission.get(2, &flare_admission::active), 0U);
  ASSERT_EQ(report.corrections.size(), 2U);
  EXPECT_EQ(report.corrections[0].service_id, 1U);
  EXPECT_EQ(report.corrections[0].by, -7);
  EXPECT_EQ(report.corrections[1].by, -3);
  EXPECT_TRUE(pass(sweep).corrections.empty());
}

TEST_F(FlowSweepTest, DoesNotTakeFlowsOpenedDuringThePassForAnError) {
  for (__u16 port = 1; port <= 8; ++port) add_flow(port, 1, 0);
  FlowSweep sweep(maps());
  ASSERT_OK(sweep.step(kNow, 3));
  maps().admission.add(1, &flare_admission::active, 2);
  maps().service_counters.add(1, &flare_service_counters::handshakes, 2);
  EXPECT_TRUE(pass(sweep).corrections.empty());
  EXPECT_EQ(active(), 10U);
}

TEST_F(FlowSweepTest, TakesSmallSteps) {
  for (__u16 port = 1; port <= 100; ++port) add_flow(port, 1, 0);
  FlowSweep sweep(maps());
  auto step = sweep.step(kNow, 10);
  ASSERT_OK(step);
  EXPECT_LE(step->seen, 40U);
  EXPECT_FALSE(step->pass_done);
}

}  // namespace
}  // namespace flare
