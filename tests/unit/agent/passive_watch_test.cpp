// What counters say against a backend, second by second.
#include "health/passive_watch.h"

#include <gtest/gtest.h>

namespace flare {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kStep = kSecond / 4;
constexpr SlowestNs kFast = 50'000'000;  ///< P99.9 of the service

/// A backend whose counters a test moves, sampled four times a second.
class Seen {
 public:
  Seen() { watch.add(now, at_ns); }
  /// `steps` quarters of a second, each of which adds `each`; in_flight is as `each` has it.
  void pass(int steps, const BackendSample& each = {}) {
    for (int i = 0; i < steps; ++i) {
      now.flows_new += each.flows_new;
      now.accepted += each.accepted;
      now.refused += each.refused;
      now.requests += each.requests;
      now.answers += each.answers;
      now.in_flight = each.in_flight;
      at_ns += kStep;
      watch.add(now, at_ns);
    }
  }
  std::string tcp(SlowestNs slowest = kFast) const { return why(Protocol::kTcp, slowest); }
  std::string udp() const { return why(Protocol::kUdp, std::nullopt); }

  PassiveWatch watch;
  BackendSample now;
  std::uint64_t at_ns = 1'000 * kSecond;

 private:
  std::string why(Protocol protocol, SlowestNs slowest) const {
    const auto signal = watch.signal(protocol, slowest);
    return signal ? signal->why : "";
  }
};

BackendSample flows(std::uint64_t fresh, std::uint64_t accepted, std::uint64_t refused = 0) {
  BackendSample sample;
  sample.flows_new = fresh;
  sample.accepted = accepted;
  sample.refused = refused;
  return sample;
}

BackendSample requests(std::uint64_t begun, std::uint64_t answers, std::uint64_t in_flight) {
  BackendSample sample;
  sample.requests = begun;
  sample.answers = answers;
  sample.in_flight = in_flight;
  return sample;
}

TEST(PassiveWatch, SaysNothingOfABackendThatAnswers) {
  Seen seen;
  seen.pass(100, flows(20, 20));
  EXPECT_EQ(seen.tcp(), "");
}

TEST(PassiveWatch, SaysNothingWithoutTraffic) {
  Seen seen;
  seen.pass(1000);
  EXPECT_EQ(seen.tcp(), "");
}

TEST(PassiveWatch, SeesThreeRefusedConnectionsInARow) {
  Seen seen;
  seen.pass(1, flows(2, 0, 2));
  EXPECT_EQ(seen.tcp(), "");
  seen.pass(1, flows(1, 0, 1));
  EXPECT_EQ(seen.tcp(), "refused 3 connections in a row");
}

TEST(PassiveWatch, ForgivesRefusalsBetweenFlowsThatAreTaken) {
  Seen seen;
  seen.pass(100, flows(10, 5, 5));
  EXPECT_EQ(seen.tcp(), "") << "its queue is full";
}

TEST(PassiveWatch, SeesFlowsThatStayUnansweredOnceTheyAreOldEnough) {
  Seen seen;
  seen.pass(1, flows(5, 0));
  seen.pass(4);
  EXPECT_EQ(seen.tcp(), "") << "their SYNs were repeated just now";
  seen.pass(1);
  EXPECT_EQ(seen.tcp(), "left 5 new flows in a row unanswered");
}

TEST(PassiveWatch, WaitsForEnoughUnansweredFlows) {
  Seen seen;
  seen.pass(1, flows(4, 0));
  seen.pass(100);
  EXPECT_EQ(seen.tcp(), "");
  seen.pass(1, flows(1, 0));
  seen.pass(5);
  EXPECT_EQ(seen.tcp(), "left 5 new flows in a row unanswered");
}

TEST(PassiveWatch, ForgivesUnansweredFlowsBetweenTakenOnes) {
  Seen seen;
  seen.pass(200, flows(20, 1));
  EXPECT_EQ(seen.tcp(), "") << "slow and full, but alive";
}

TEST(PassiveWatch, CountsWhatWasSeenWhileNobodySampled) {
  Seen seen;
  seen.now.flows_new = seen.now.accepted = 1000;
  seen.at_ns += 60 * kSecond;
  seen.pass(1);
  EXPECT_EQ(seen.tcp(), "");
  seen.now.flows_new += 1000;
  seen.at_ns += 60 * kSecond;
  seen.pass(1);
  EXPECT_EQ(seen.tcp(), "") << "nobody knows how old they are";
  seen.pass(5);
  EXPECT_NE(seen.tcp(), "");
}

TEST(PassiveWatch, StartsAnewWithCountersThatDo) {
  Seen seen;
  seen.pass(1, flows(50, 48, 2));
  seen.now = {};
  seen.pass(1, flows(4, 0));
  seen.pass(10);
  EXPECT_EQ(seen.tcp(), "");
}

TEST(PassiveWatch, SaysNothingOfUdpThatNeverAnswers) {
  Seen seen;
  seen.pass(1000, flows(10, 0));
  EXPECT_EQ(seen.udp(), "");
}

TEST(PassiveWatch, SaysNothingOfUdpThatAnswersNowAndThen) {
  Seen seen;
  seen.pass(100, flows(10, 3));
  seen.pass(20, flows(10, 0));
  EXPECT_EQ(seen.udp(), "");
}

TEST(PassiveWatch, SeesUdpFallSilentThatUsedToAnswer) {
  Seen seen;
  seen.pass(10, flows(3, 2));
  seen.pass(1, flows(19, 0));
  seen.pass(10);
  EXPECT_EQ(seen.udp(), "");
  seen.pass(1, flows(1, 0));
  seen.pass(5);
  EXPECT_EQ(seen.udp(), "left 20 new flows in a row unanswered");
}

TEST(PassiveWatch, SeesRequestsThatAreNeverAnswered) {
  Seen seen;
  seen.pass(20, requests(10, 10, 2));
  seen.pass(12, requests(1, 0, 10));
  EXPECT_EQ(seen.tcp(), "");
  seen.pass(1, requests(1, 0, 10));
  EXPECT_EQ(seen.tcp(), "answered none of 13 requests in 3.0 s");
}

TEST(PassiveWatch, WaitsForFourTimesWhatTheSlowestTake) {
  Seen seen;
  seen.pass(40, requests(1, 0, 10));
  EXPECT_NE(seen.tcp(kFast), "");
  EXPECT_EQ(seen.tcp(SlowestNs(4 * kSecond)), "") << "16 s";
  seen.pass(26, requests(1, 0, 10));
  EXPECT_NE(seen.tcp(SlowestNs(4 * kSecond)), "");
}

TEST(PassiveWatch, DoesNotJudgeRequestsWhoseTimesNobodyKnows) {
  Seen seen;
  seen.pass(400, requests(1, 0, 10));
  EXPECT_EQ(seen.tcp(std::nullopt), "");
}

TEST(PassiveWatch, DoesNotJudgeAFewLongRequests) {
  Seen seen;
  seen.pass(1, requests(10, 0, 10));
  seen.pass(100, requests(0, 0, 10));
  EXPECT_EQ(seen.tcp(), "") << "a burst of long polls, and nothing came after it";
  Seen rare;
  rare.pass(1, requests(1, 0, 1));
  rare.pass(20, requests(0, 0, 1));
  rare.pass(1, requests(1, 0, 2));
  EXPECT_EQ(rare.tcp(), "") << "two requests";
}

TEST(PassiveWatch, ForgivesSilenceWithNothingInFlight) {
  Seen seen;
  for (int i = 0; i < 20; ++i) {
    seen.pass(8, requests(1, 0, 2));
    seen.pass(1, requests(0, 0, 0));
  }
  EXPECT_EQ(seen.tcp(), "") << "its clients gave up, or it has closed";
}

TEST(PassiveWatch, KnowsTheTimeOfARequestByLittlesLaw) {
  Seen seen;
  seen.pass(8, requests(5, 5, 4));
  const RecentLoad load = seen.watch.recent();
  EXPECT_NEAR(load.in_flight, 4, 1e-9);
  ASSERT_TRUE(load.request_ns());
  EXPECT_NEAR(*load.request_ns(), 4.0 / 20 * 1e9, 1e6) << "4 in flight, 20 answers a second";
  seen.pass(8, requests(5, 0, 4));
  EXPECT_FALSE(seen.watch.recent().request_ns());
}

TEST(PassiveWatch, FindsATrialGoodAfterFiveFlowsAndAnswers) {
  Seen seen;
  seen.pass(1, flows(50, 50));
  seen.watch.begin_trial();
  seen.pass(1, flows(4, 4));
  EXPECT_FALSE(seen.watch.trial_is_good(false));
  seen.pass(1, flows(1, 1));
  EXPECT_TRUE(seen.watch.trial_is_good(false));
  EXPECT_FALSE(seen.watch.trial_is_good(true));
  seen.pass(1, requests(5, 5, 0));
  EXPECT_TRUE(seen.watch.trial_is_good(true));
}

TEST(PassiveWatch, EndsATrialAtOneRefusalOrThreeUnansweredFlows) {
  const auto why = [](const Seen& seen) {
    const auto signal = seen.watch.trial_signal(Protocol::kTcp, kFast);
    return signal ? signal->why : "";
  };
  Seen refuses;
  refuses.pass(1, flows(10, 0, 10));
  refuses.watch.begin_trial();
  refuses.pass(8, flows(1, 1));
  EXPECT_EQ(why(refuses), "");
  refuses.pass(1, flows(1, 0, 1));
  EXPECT_EQ(why(refuses), "refused 1 connections in a row");

  Seen silent;
  silent.watch.begin_trial();
  silent.pass(1, flows(2, 0));
  silent.pass(8);
  EXPECT_EQ(why(silent), "");
  silent.pass(1, flows(1, 0));
  silent.pass(5);
  EXPECT_EQ(why(silent), "left 3 new flows in a row unanswered");
}

}  // namespace
}  // namespace flare
