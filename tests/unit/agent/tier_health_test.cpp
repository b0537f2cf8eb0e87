// Backends of a tier against each other, and how many of them may be ejected.
#include "health/tier_health.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

namespace flare {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kStep = kSecond / 5;

/// What a backend does for each of its new flows, and for its requests.
enum class Does { kServes, kRefuses, kIsSilent, kIsSlow, kIsBusy };

/// A tier under steady load, with a clock of its own.
class Tier {
 public:
  explicit Tier(std::size_t size, HealthConfig health = {}, Protocol protocol = Protocol::kTcp)
      : health_(health), protocol_(protocol), does_(size, Does::kServes), samples_(size) {
    for (std::size_t i = 0; i < size; ++i) {
      TierMember member;
      member.endpoint = {*Address::parse("198.51.100." + std::to_string(i + 1)), 80};
      member.id = static_cast<std::uint32_t>(i + 1);
      member.start = BackendHealth::Start::kUp;
      members.push_back(member);
    }
    configure();
    tier.sample(samples_, kFast, at_ns);
  }
  void configure() { tier.configure(health_, protocol_, members, at_ns); }
  void set_health(const HealthConfig& health) {
    health_ = health;
    configure();
  }
  void make(std::size_t at, Does what) { does_[at] = what; }

  void pass(double seconds) {
    const std::uint64_t end = at_ns + static_cast<std::uint64_t>(seconds * 1e9);
    while (at_ns < end) {
      at_ns += kStep;
      for (std::size_t i = 0; i < members.size(); ++i) serve(i);
      tier.sample(samples_, kFast, at_ns);
      most_out = std::max(most_out, count(HealthPhase::kEjected) + count(HealthPhase::kTrial));
      least_taking = std::min(least_taking, count(HealthPhase::kUp) + count(HealthPhase::kTrial));
    }
  }

  HealthPhase phase(std::size_t at) const { return tier.verdict(at, at_ns).phase; }
  std::size_t count(HealthPhase wanted) const {
    std::size_t found = 0;
    for (std::size_t i = 0; i < tier.size(); ++i) found += phase(i) == wanted ? 1 : 0;
    return found;
  }

  TierHealth tier;
  std::vector<TierMember> members;
  std::uint64_t at_ns = 1'000 * kSecond;
  std::size_t most_out = 0;
  std::size_t least_taking = SIZE_MAX;

 private:
  static constexpr SlowestNs kFast = 50'000'000;

  void serve(std::size_t at) {
    const BackendVerdict verdict = tier.verdict(at, at_ns);
    BackendSample& sample = samples_[at];
    const std::uint64_t full = verdict.state == FLARE_BACKEND_ACTIVE ? 32 : 0;
    const std::uint64_t flows = full * verdict.weight / kFullWeight;
    sample.flows_new += flows;
    switch (does_[at]) {
      case Does::kServes:
        sample.accepted += flows;
        sample.requests += flows;
        sample.answers += flows;
        sample.in_flight = flows / 8;
        break;
      case Does::kRefuses:
        sample.refused += flows;
        sample.in_flight = 0;
        break;
      case Does::kIsSilent:
        sample.in_flight = 0;
        break;
      case Does::kIsSlow:
        sample.accepted += flows;
        sample.requests += flows;
        sample.answers += flows;
        sample.in_flight = flows * 10 / 8;
        break;
      case Does::kIsBusy:
        sample.accepted += flows;
        sample.requests += flows * 10;
        sample.answers += flows * 10;
        sample.in_flight = flows * 10 / 8;
        break;
    }
  }

  HealthConfig health_;
  Protocol protocol_;
  std::vector<Does> does_;
  std::vector<BackendSample> samples_;
};

TEST(TierHealth, LeavesATierThatServesAlone) {
  Tier tier(5);
  tier.pass(60);
  EXPECT_EQ(tier.count(HealthPhase::kUp), 5U);
  EXPECT_TRUE(tier.tier.take_changes().empty());
}

TEST(TierHealth, EjectsOneThatRefusesWithinAFewSamples) {
  Tier tier(5);
  tier.pass(2);
  tier.make(1, Does::kRefuses);
  tier.pass(0.2);
  EXPECT_EQ(tier.phase(1), HealthPhase::kEjected);
  EXPECT_EQ(tier.count(HealthPhase::kUp), 4U);
}

TEST(TierHealth, EjectsOneThatIsSilentWithinTwoSeconds) {
  Tier tier(5);
  tier.pass(2);
  tier.make(1, Does::kIsSilent);
  tier.pass(1.2);
  EXPECT_EQ(tier.phase(1), HealthPhase::kUp);
  tier.pass(0.6);
  EXPECT_EQ(tier.phase(1), HealthPhase::kEjected);
}

TEST(TierHealth, TellsEachChangeOnceWithItsReason) {
  Tier tier(3);
  tier.make(1, Does::kRefuses);
  tier.pass(5);
  const auto changes = tier.tier.take_changes();
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].endpoint.text(), "198.51.100.2:80");
  EXPECT_EQ(changes[0].before, HealthPhase::kUp);
  EXPECT_EQ(changes[0].verdict.phase, HealthPhase::kEjected);
  EXPECT_EQ(changes[0].verdict.why, "refused 32 connections in a row");
}

TEST(TierHealth, LetsOneBackThatServesAgain) {
  Tier tier(5);
  tier.make(1, Does::kRefuses);
  tier.pass(1);
  tier.make(1, Does::kServes);
  tier.pass(8);
  EXPECT_EQ(tier.phase(1), HealthPhase::kEjected);
  tier.pass(3);
  EXPECT_EQ(tier.phase(1), HealthPhase::kUp);
}

TEST(TierHealth, EjectsOneThatFailsItsTrialForTwiceAsLong) {
  Tier tier(5);
  tier.make(1, Does::kRefuses);
  tier.pass(0.4);
  tier.pass(10.2);
  EXPECT_EQ(tier.phase(1), HealthPhase::kEjected) << "again";
  tier.make(1, Does::kServes);
  tier.pass(15);
  EXPECT_EQ(tier.phase(1), HealthPhase::kEjected);
  tier.pass(10);
  EXPECT_EQ(tier.phase(1), HealthPhase::kUp);
}

TEST(TierHealth, EjectsOneThatIsTenTimesSlowerThanTheOthers) {
  Tier tier(5);
  tier.pass(2);
  tier.make(1, Does::kIsSlow);
  tier.pass(3);
  EXPECT_EQ(tier.phase(1), HealthPhase::kUp);
  tier.pass(2);
  ASSERT_EQ(tier.phase(1), HealthPhase::kEjected);
  const std::string why = tier.tier.verdict(1, tier.at_ns).why;
  EXPECT_NE(why.find("ms a request, the tier 25 ms"), std::string::npos) << why;
}

TEST(TierHealth, KeepsOneThatIsStillSlowOut) {
  Tier tier(5);
  tier.make(1, Does::kIsSlow);
  tier.pass(120);
  EXPECT_NE(tier.phase(1), HealthPhase::kUp);
  std::size_t ups = 0;
  for (const HealthChange& change : tier.tier.take_changes()) {
    ups += change.verdict.phase == HealthPhase::kUp ? 1 : 0;
  }
  EXPECT_EQ(ups, 0U) << "a trial that should have failed";
}

TEST(TierHealth, DoesNotSayWhichOfTwoIsTheSlowOne) {
  Tier tier(2);
  tier.make(1, Does::kIsSlow);
  tier.pass(30);
  EXPECT_EQ(tier.phase(1), HealthPhase::kUp);
}

TEST(TierHealth, LeavesATierAloneThatIsSlowAsAWhole) {
  Tier tier(5);
  for (std::size_t i = 0; i < 5; ++i) tier.make(i, Does::kIsSlow);
  tier.pass(60);
  EXPECT_EQ(tier.count(HealthPhase::kUp), 5U);
}

TEST(TierHealth, LeavesOneAloneThatHasMoreToDoAndIsAsFast) {
  Tier tier(5);
  tier.make(1, Does::kIsBusy);
  tier.pass(30);
  EXPECT_EQ(tier.phase(1), HealthPhase::kUp) << "connections that carry much gather there";
}

TEST(TierHealth, ForgivesAMomentOfSlowness) {
  Tier tier(5);
  for (int i = 0; i < 20; ++i) {
    tier.make(1, Does::kIsSlow);
    tier.pass(2);
    tier.make(1, Does::kServes);
    tier.pass(3);
  }
  EXPECT_EQ(tier.phase(1), HealthPhase::kUp);
}

TEST(TierHealth, ExpectsMoreOfOneWithMoreWeight) {
  Tier tier(5);
  tier.members[1].weight = 10;
  tier.configure();
  tier.make(1, Does::kIsSlow);
  tier.pass(30);
  EXPECT_EQ(tier.phase(1), HealthPhase::kUp) << "it has ten times as much, as it should";
}

struct BoundCase {
  std::size_t size;
  double eject_max;
  std::size_t out;  ///< the most that may be
};

class Bound : public testing::TestWithParam<BoundCase> {};

TEST_P(Bound, HoldsWhereAllOfATierAreBad) {
  HealthConfig health;
  health.eject_max = GetParam().eject_max;
  for (const Does what : {Does::kRefuses, Does::kIsSilent}) {
    Tier tier(GetParam().size, health);
    for (std::size_t i = 0; i < GetParam().size; ++i) tier.make(i, what);
    tier.pass(100);
    EXPECT_EQ(tier.most_out, GetParam().out);
    EXPECT_GE(tier.least_taking, 1U);
    EXPECT_EQ(tier.count(HealthPhase::kUp), GetParam().size - GetParam().out);
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, Bound,
                         testing::Values(BoundCase{1, 0.5, 0}, BoundCase{2, 0.1, 1},
                                         BoundCase{2, 1, 1}, BoundCase{3, 0.5, 1},
                                         BoundCase{5, 0.5, 2}, BoundCase{10, 0.5, 5},
                                         BoundCase{10, 1, 9}, BoundCase{10, 0, 0},
                                         BoundCase{10, 0.05, 1}, BoundCase{100, 0.3, 30}));

/// Backends that turn bad and well at random; the bound holds at every moment.
TEST(TierHealth, NeverEjectsMoreThanItMayNorTheLast) {
  std::mt19937 random(7);
  for (int round = 0; round < 20; ++round) {
    HealthConfig health;
    health.eject_max = 0.4;
    health.eject_time = milliseconds(1'000);
    const std::size_t size = 2 + random() % 9;
    Tier tier(size, health);
    for (int i = 0; i < 60; ++i) {
      tier.make(random() % size, static_cast<Does>(random() % 4));
      tier.pass(1);
    }
    EXPECT_LE(tier.most_out, std::max<std::size_t>(1, size * 4 / 10)) << size;
    EXPECT_GE(tier.least_taking, 1U) << size;
  }
}

TEST(TierHealth, SaysWhatItWouldHaveEjected) {
  Tier tier(2);
  tier.make(0, Does::kRefuses);
  tier.make(1, Does::kRefuses);
  tier.pass(1);
  const std::size_t up = tier.phase(0) == HealthPhase::kUp ? 0 : 1;
  EXPECT_NE(tier.tier.held(up).find("in a row; not ejected: no other backend"), std::string::npos)
      << tier.tier.held(up);
  tier.make(up, Does::kServes);
  tier.pass(1);
  EXPECT_EQ(tier.tier.held(up), "");
}

TEST(TierHealth, EjectsTheSurestFirst) {
  HealthConfig health;
  health.eject_max = 0.2;
  Tier tier(5, health);
  tier.make(0, Does::kIsSlow);
  tier.pass(2.8);
  tier.make(4, Does::kRefuses);
  tier.pass(0.2);
  EXPECT_EQ(tier.phase(4), HealthPhase::kEjected);
  tier.pass(5);
  EXPECT_EQ(tier.phase(0), HealthPhase::kUp) << "one of five";
}

TEST(TierHealth, DoesNotCountTheDrainedAmongThoseThatAreLeft) {
  Tier tier(3);
  tier.members[1].takes_flows = tier.members[2].takes_flows = false;
  tier.configure();
  tier.make(0, Does::kRefuses);
  tier.pass(30);
  EXPECT_EQ(tier.phase(0), HealthPhase::kUp);
}

TEST(TierHealth, TriesTheEjectedWhereChecksTakeTheLast) {
  HealthConfig health;
  health.check = HealthConfig::Check::kTcp;
  health.fall = 1;
  Tier tier(2, health);
  tier.make(0, Does::kRefuses);
  tier.pass(1);
  ASSERT_EQ(tier.phase(0), HealthPhase::kEjected);
  tier.tier.checked(1, false, "dead", tier.at_ns);
  EXPECT_EQ(tier.phase(1), HealthPhase::kDown);
  EXPECT_EQ(tier.phase(0), HealthPhase::kTrial);
  tier.pass(30);
  EXPECT_EQ(tier.phase(0), HealthPhase::kTrial) << "bad, but there is nothing else";
  EXPECT_LE(tier.tier.take_changes().size(), 3U) << "it does not go to and fro";
  tier.tier.checked(0, false, "dead", tier.at_ns);
  EXPECT_EQ(tier.count(HealthPhase::kDown), 2U) << "checks may take all";
}

TEST(TierHealth, KeepsTheHealthOfWhatStays) {
  Tier tier(3);
  tier.make(1, Does::kRefuses);
  tier.pass(1);
  tier.configure();
  EXPECT_EQ(tier.phase(1), HealthPhase::kEjected);
  tier.members[1].generation = 5;
  tier.configure();
  EXPECT_EQ(tier.phase(1), HealthPhase::kUp) << "another one at that address";
}

TEST(TierHealth, LetsAllBackWherePassiveSignalsAreTurnedOff) {
  Tier tier(3);
  tier.make(1, Does::kRefuses);
  tier.pass(1);
  HealthConfig health;
  health.passive = false;
  tier.set_health(health);
  EXPECT_EQ(tier.phase(1), HealthPhase::kUp);
  tier.pass(30);
  EXPECT_EQ(tier.phase(1), HealthPhase::kUp);
}

TEST(TierHealth, MovesUdpAwayFromOneThatFallsSilent) {
  Tier tier(3, {}, Protocol::kUdp);
  tier.pass(2);
  tier.make(1, Does::kIsSilent);
  tier.pass(2);
  EXPECT_EQ(tier.tier.verdict(1, tier.at_ns).state, FLARE_BACKEND_DOWN);
}

}  // namespace
}  // namespace flare
