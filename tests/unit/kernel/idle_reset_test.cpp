// Resets of idle connections: the shipped program on real sockets, with slots written by hand.
#include "kernel/idle_reset.h"

#include <vector>

#include "idle_reset_fixture.h"

namespace flare {
namespace {

TEST_F(IdleResetTest, ResetsAnIdleConnectionOfTls) {
  const UniqueFd listener = listen_on("127.0.0.1:8443");
  put_service("127.0.0.1:8443");
  const Connection idle = connect(listener, "127.0.0.1:8443");
  const ResetReport report = run_once();
  EXPECT_EQ(report.seen, 1U) << "the server's end, and not the client's";
  EXPECT_EQ(report.reset, 1U);
  EXPECT_GT(report.took.count(), 0);
  EXPECT_EQ(idle.client_error(), ECONNRESET);
  EXPECT_EQ(idle.server_error(), ECONNABORTED);
  EXPECT_EQ(counted(), 1U);
  with_turn(idle, [](flare_turn& turn) { EXPECT_EQ(turn.ended, FLARE_TURN_MOVED); });
  EXPECT_EQ(run_once().seen, 0U) << "its socket is gone";
}

TEST_F(IdleResetTest, KnowsConnectionsOfBothFamiliesOnAnyKindOfSocket) {
  const UniqueFd both = listen_on("[::]:8443");
  put_service("127.0.0.1:8443");
  put_service("[::1]:8443");
  const Connection four = connect(both, "127.0.0.1:8443");
  const Connection six = connect(both, "[::1]:8443");
  EXPECT_EQ(run_once().reset, 2U);
  EXPECT_EQ(four.client_error(), ECONNRESET);
  EXPECT_EQ(six.client_error(), ECONNRESET);
}

const std::vector<SlotCase> kCases = slot_cases(FLARE_TIER_VM);

class IdleResetOfSlot : public IdleResetTest, public testing::WithParamInterface<SlotCase> {};

TEST_P(IdleResetOfSlot, GoesByTheSlot) {
  const UniqueFd listener = listen_on("127.0.0.1:8443");
  put_service("127.0.0.1:8443");
  const Connection control = connect(listener, "127.0.0.1:8443");
  const Connection changed = connect(listener, "127.0.0.1:8443");
  with_turn(changed, GetParam().change);
  const ResetReport report = run_once();
  EXPECT_EQ(report.seen, 2U);
  EXPECT_EQ(report.reset, GetParam().is_reset ? 2U : 1U);
  EXPECT_EQ(control.client_error(), ECONNRESET);
  EXPECT_EQ(changed.client_error(), GetParam().is_reset ? ECONNRESET : 0);
  EXPECT_EQ(counted(), report.reset);
}

INSTANTIATE_TEST_SUITE_P(Slots, IdleResetOfSlot, testing::ValuesIn(kCases), slot_case_name);

TEST_F(IdleResetTest, LeavesOtherPortsAlone) {
  const UniqueFd listener = listen_on("127.0.0.1:8443");
  const UniqueFd other = listen_on("127.0.0.1:8444");
  put_service("127.0.0.1:8443");
  const Connection ours = connect(listener, "127.0.0.1:8443");
  const Connection theirs = connect(other, "127.0.0.1:8444");
  const ResetReport report = run_once();
  EXPECT_EQ(report.seen, 1U);
  EXPECT_EQ(ours.client_error(), ECONNRESET);
  EXPECT_EQ(theirs.client_error(), 0);
}

TEST_F(IdleResetTest, LeavesSocketsWithDataUnderWayAlone) {
  const UniqueFd listener = listen_on("127.0.0.1:8443");
  put_service("127.0.0.1:8443");
  const Connection unread = connect(listener, "127.0.0.1:8443");
  ASSERT_EQ(::send(unread.client.get(), "x", 1, 0), 1);
  const Connection unacknowledged = connect(listener, "127.0.0.1:8443");
  const std::vector<char> much(1U << 16);
  while (::send(unacknowledged.server.get(), much.data(), much.size(), 0) > 0) {
  }
  EXPECT_EQ(run_once().reset, 0U);
  char byte = 0;
  ASSERT_EQ(::recv(unread.server.get(), &byte, 1, 0), 1);
  EXPECT_EQ(run_once().reset, 1U) << "read by now";
  EXPECT_EQ(unread.client_error(), ECONNRESET);
  EXPECT_EQ(unacknowledged.client_error(), 0);
}

TEST_F(IdleResetTest, KeepsTheRateOfTheService) {
  const UniqueFd listener = listen_on("127.0.0.1:8443");
  service_.move_interval_ns[FLARE_TIER_VM] = 3600 * kSecond;
  service_.move_depth_ns[FLARE_TIER_VM] = 2 * 3600 * kSecond;
  put_service("127.0.0.1:8443");
  std::vector<Connection> idle;
  idle.reserve(5);
  for (int i = 0; i < 5; ++i) idle.push_back(connect(listener, "127.0.0.1:8443"));
  EXPECT_EQ(run_once().reset, 2U);
  EXPECT_EQ(run_once().reset, 0U);
  service_.move_interval_ns[FLARE_TIER_VM] = 0;
  maps().admission.clear(kService);
  put_service("127.0.0.1:8443");
  EXPECT_EQ(run_once().reset, 0U) << "nothing of this tier moves";
}

TEST_F(IdleResetTest, OfAGatedServiceOnlyAtTheCap) {
  const UniqueFd listener = listen_on("127.0.0.1:8443");
  service_.move_gated = 1;
  service_.cap = 4;
  put_service("127.0.0.1:8443");
  const Connection idle = connect(listener, "127.0.0.1:8443");
  const auto set_in_flight = [this](std::uint64_t count) {
    maps().admission.visit(kService, [count](flare_admission& admission) {
      admission.in_flight[FLARE_TIER_VM] = count;
    });
  };
  set_in_flight(3);
  EXPECT_EQ(run_once().reset, 0U);
  set_in_flight(4);
  EXPECT_EQ(run_once().reset, 1U);
}

TEST_F(IdleResetTest, NeedsTheServicesConsentAndALiveAgent) {
  const UniqueFd listener = listen_on("127.0.0.1:8443");
  put_service("127.0.0.1:8443");
  const Connection idle = connect(listener, "127.0.0.1:8443");
  ASSERT_OK(reset_->set_bound(kService, 0));
  EXPECT_EQ(run_once().seen, 0U);
  ASSERT_OK(reset_->set_bound(kService, kBound));
  service_.move = FLARE_MOVE_NONE;
  put_service("127.0.0.1:8443");
  EXPECT_EQ(run_once().reset, 0U);
  service_.move = FLARE_MOVE_CLOSE;
  put_service("127.0.0.1:8443");
  maps().heartbeat.set(0, &flare_heartbeat::beat_ns, MonotonicClock().now_ns() - 6 * kSecond);
  EXPECT_EQ(run_once().reset, 0U);
  maps().heartbeat.set(0, &flare_heartbeat::beat_ns, MonotonicClock().now_ns());
  EXPECT_EQ(run_once().reset, 1U);
}

TEST(IdleBound, IsFourTimesNearlyAllRequestsAndNotBelow200Ms) {
  flare_histogram times{};
  EXPECT_EQ(idle_bound_ns(times), 200 * kMs) << "nothing known";
  const std::uint32_t quick = latency_slot(1 * kMs), slow = latency_slot(500 * kMs);
  times.count[quick] = 999;
  EXPECT_EQ(idle_bound_ns(times), 200 * kMs);
  times.count[slow] = 1;
  EXPECT_EQ(idle_bound_ns(times), 200 * kMs) << "one in a thousand";
  times.count[slow] = 20;
  EXPECT_NEAR(static_cast<double>(idle_bound_ns(times)), 2000.0 * kMs, 300.0 * kMs);
}

}  // namespace
}  // namespace flare
