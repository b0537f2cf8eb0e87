#include "eval/fleet/autoscaler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

namespace flare::eval {
namespace {

using enum FleetEventKind;

/// A tier that is busy in proportion to the load, a second at a time.
struct Story {
  AutoscalerConfig config;
  std::uint64_t seed = 1;
  std::vector<FleetEvent> events;
  int pods_at_end = 0;

  void until(
      int seconds, const std::function<double(int)>& cpu_of_eight,
      const std::function<std::optional<double>(int)>& rps = [](int) { return std::nullopt; }) {
    Autoscaler fleet(config, seed, 0);
    for (int second = 1; second <= seconds; ++second) {
      std::vector<PodCpu> cpus;
      for (const Pod& pod : fleet.pods()) {
        if (pod.state != Pod::State::kReady) continue;
        cpus.push_back({pod.id, std::min(1.0, cpu_of_eight(second) * 8 / fleet.pods_ready())});
      }
      fleet.observe(second * kSecondNs, {cpus, rps(second)});
      for (const FleetEvent& event : fleet.step(second * kSecondNs)) events.push_back(event);
    }
    pods_at_end = fleet.pods_ready();
  }
  int count(FleetEventKind kind) const {
    return static_cast<int>(std::ranges::count(events, kind, &FleetEvent::kind));
  }
  double first_s(FleetEventKind kind) const {
    const auto found = std::ranges::find(events, kind, &FleetEvent::kind);
    return found == events.end() ? -1 : static_cast<double>(found->at_ns) / 1e9;
  }
};

double step_at_300(int second) { return second <= 300 ? 0.457 : 1.13; }

TEST(Autoscaler, LeavesACalmFleetAlone) {
  Story run;
  run.until(1800, [](int) { return 0.457; });
  EXPECT_TRUE(run.events.empty());
}

TEST(Autoscaler, FollowsASpikeWithinTwoMinutes) {
  Story run;
  run.until(800, step_at_300);
  ASSERT_GT(run.count(kPodReady), 0);
  // A window, a sync, a scan, a boot, a start: 68 s at the least, 30 + 10 + 90 + 8 s at the most.
  EXPECT_GT(run.first_s(kPodReady), 300 + 68);
  EXPECT_LT(run.first_s(kPodReady), 300 + 138);
  // 1.13 x 8 / 0.5 = 18.08 pods are enough; what is within the tolerance of it is left.
  EXPECT_GE(run.pods_at_end, 17);
  EXPECT_LE(run.pods_at_end, 20);
  for (std::size_t i = 1; i < run.events.size(); ++i) {
    EXPECT_LE(run.events[i - 1].at_ns, run.events[i].at_ns);
  }
}

TEST(Autoscaler, GivesBackAfterTheSpike) {
  Story run;
  run.until(3600, [](int second) { return second > 300 && second <= 600 ? 1.13 : 0.457; });
  EXPECT_GT(run.count(kNodeGone), 0);
  EXPECT_EQ(run.count(kNodeGone), run.count(kNodeUp));
  // 0.457 x 8 / 0.5 = 7.3 pods would do, but the calm fleet stays.
  EXPECT_EQ(run.pods_at_end, 8);
}

TEST(Autoscaler, DoesNothingBeforeItMay) {
  Story run;
  run.config.hpa.hold_until_ns = 600 * kSecondNs;
  run.until(900, step_at_300);
  EXPECT_GE(run.first_s(kNodeRequested), 600);
  EXPECT_LT(run.first_s(kNodeRequested), 626);
}

TEST(Autoscaler, TakesTheHigherOfCpuAndRequests) {
  // The VM tier is kept at its capacity, so CPU shows 100 %; only the total shows what is spilled.
  const auto cpu = [](int second) { return second <= 300 ? 0.457 : 0.52; };
  const auto total = [](int second) -> std::optional<double> { return second <= 300 ? 200 : 495; };
  Story blind;
  blind.until(800, cpu);
  EXPECT_EQ(blind.pods_at_end, 8);
  Story told;
  told.config.hpa.rps_target = 27.4;
  told.until(800, cpu, total);
  EXPECT_EQ(told.pods_at_end, 19);  // 495 / 27.4 = 18.07
}

TEST(Autoscaler, SaturatedCpuAsksForMoreThanIsNeeded) {
  // CPU ends at 100 %, so a tier that is far over its capacity is doubled, and doubled again.
  Story run;
  run.until(800, [](int second) { return second <= 300 ? 0.457 : 3.0; });
  EXPECT_EQ(run.pods_at_end, 24);
}

/// All pods are full, whatever there are.
std::vector<FleetEvent> events_of_a_full_tier(std::uint64_t seed) {
  Autoscaler fleet({}, seed, 0);
  std::vector<FleetEvent> events;
  for (int second = 1; second <= 300; ++second) {
    std::vector<PodCpu> cpus;
    for (const Pod& pod : fleet.pods()) {
      if (pod.state == Pod::State::kReady) cpus.push_back({pod.id, 1});
    }
    fleet.observe(second * kSecondNs, {cpus, std::nullopt});
    for (const FleetEvent& event : fleet.step(second * kSecondNs)) events.push_back(event);
  }
  return events;
}

TEST(Autoscaler, DoesNotCountAPodBeforeAWholeWindowOfIt) {
  // Eight full ones ask for sixteen, and these for more, once they count.
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    const auto events = events_of_a_full_tier(seed);
    const auto is = [](FleetEventKind kind) {
      return [kind](const FleetEvent& event) { return event.kind == kind; };
    };
    const auto ready = std::find_if(events.begin(), events.end(), is(kPodReady));
    ASSERT_NE(ready, events.end());
    const auto again = std::find_if(ready, events.end(), is(kNodeRequested));
    ASSERT_NE(again, events.end());
    EXPECT_GE(again->at_ns, ready->at_ns + 15 * kSecondNs) << "seed " << seed;
  }
}

TEST(Autoscaler, IsTheSameForTheSameSeed) {
  Story one, same, other;
  other.seed = 2;
  for (Story* run : {&one, &same, &other}) run->until(800, step_at_300);
  EXPECT_EQ(one.events, same.events);
  EXPECT_NE(one.events, other.events);
}

TEST(Autoscaler, StepsThatComeLateGiveTheSameEvents) {
  AutoscalerConfig config;
  const auto events_with = [&](int every) {
    Autoscaler fleet(config, 3, 0);
    std::vector<FleetEvent> events;
    for (int second = 1; second <= 600; ++second) {
      std::vector<PodCpu> cpus;
      for (std::uint32_t pod = 1; pod <= 8; ++pod) cpus.push_back({pod, 0.9});
      if (second % every == 0) {
        for (const FleetEvent& event : fleet.step(second * kSecondNs)) events.push_back(event);
      }
      fleet.observe(second * kSecondNs, {cpus, std::nullopt});
    }
    return events;
  };
  EXPECT_FALSE(events_with(1).empty());
  EXPECT_EQ(events_with(1), events_with(3));
}

}  // namespace
}  // namespace flare::eval
