#include "eval/fleet/cluster.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace flare::eval {
namespace {

using enum FleetEventKind;

class ClusterTest : public testing::Test {
 protected:
  /// Scans every ten seconds and lets end what ends, until `second`.
  void run_until(int second) {
    const std::int64_t end_ns = second * kSecondNs;
    for (; scan_ns_ <= end_ns; scan_ns_ += 10 * kSecondNs) {
      settle(scan_ns_);
      cluster_.scan(scan_ns_);
    }
    settle(end_ns);
    for (const FleetEvent& event : cluster_.take_events()) events_.push_back(event);
  }
  void settle(std::int64_t until_ns) {
    while (cluster_.next_due_ns() <= until_ns) cluster_.advance();
  }
  int count(FleetEventKind kind) const {
    return static_cast<int>(std::ranges::count(events_, kind, &FleetEvent::kind));
  }

  ClusterConfig config_;
  Cluster cluster_{config_, 8, 8, 1, 0};
  std::int64_t scan_ns_ = 0;
  std::vector<FleetEvent> events_;
};

TEST_F(ClusterTest, StartsWithFullNodes) {
  EXPECT_EQ(cluster_.nodes().size(), 4U);
  EXPECT_EQ(cluster_.pods_ready(), 8);
  EXPECT_EQ(cluster_.pods()[1].node, 1U);
  EXPECT_EQ(cluster_.pods()[2].node, 2U);
}

TEST_F(ClusterTest, PodsWaitForNodesThatBootAndThenStart) {
  cluster_.scale_to(3 * kSecondNs, 11);
  run_until(200);
  ASSERT_EQ(count(kNodeRequested), 2);
  ASSERT_EQ(count(kNodeUp), 2);
  ASSERT_EQ(count(kPodReady), 3);
  EXPECT_EQ(cluster_.pods_ready(), 11);
  for (const FleetEvent& event : events_) {
    const std::int64_t second = event.at_ns / kSecondNs;
    if (event.kind == kNodeRequested) {
      EXPECT_EQ(event.at_ns, 0) << "the scan that saw them";
    }
    if (event.kind == kNodeUp) {
      EXPECT_TRUE(second >= 60 && second < 90) << second;
    }
  }
  // Each pod is ready eight seconds after its start.
  std::map<std::uint32_t, std::int64_t> started;
  for (const FleetEvent& event : events_) {
    if (event.kind == kPodStarting) started[event.pod] = event.at_ns;
    if (event.kind == kPodReady) {
      EXPECT_EQ(event.at_ns, started.at(event.pod) + 8 * kSecondNs);
    }
  }
}

TEST_F(ClusterTest, DoesNotAskTwiceForTheSamePods) {
  cluster_.scale_to(0, 10);
  run_until(50);
  EXPECT_EQ(count(kNodeRequested), 1);
  cluster_.scale_to(50 * kSecondNs, 11);
  run_until(59);
  EXPECT_EQ(count(kNodeRequested), 1);
  run_until(60);
  EXPECT_EQ(count(kNodeRequested), 2);
}

TEST_F(ClusterTest, RemovesPendingPodsFirstAndThenTheYoungest) {
  cluster_.scale_to(0, 12);
  cluster_.scale_to(kSecondNs, 8);
  run_until(5);
  EXPECT_EQ(count(kPodDraining), 0);
  EXPECT_EQ(count(kNodeRequested), 0);
  cluster_.scale_to(10 * kSecondNs, 10);
  run_until(150);
  cluster_.scale_to(150 * kSecondNs, 9);
  run_until(180);
  ASSERT_EQ(count(kPodDraining), 1);
  EXPECT_EQ(count(kPodGone), 1);
  EXPECT_GT(events_.back().pod, 8U) << "a pod of the start was removed";
}

TEST_F(ClusterTest, GivesUpEmptyNodesAfterTenMinutes) {
  cluster_.scale_to(0, 12);
  run_until(200);
  EXPECT_EQ(cluster_.nodes().size(), 6U);
  // Of full nodes each loses one, so the others' pods must be moved together.
  cluster_.scale_to(200 * kSecondNs, 8);
  run_until(200 + 29 + 600);
  EXPECT_EQ(count(kNodeGone), 0);
  run_until(2000);
  EXPECT_EQ(count(kNodeGone), 2);
  EXPECT_EQ(cluster_.nodes().size(), 4U);
  EXPECT_EQ(cluster_.pods_ready(), 8);
  run_until(5000);
  EXPECT_EQ(cluster_.nodes().size(), 4U);
}

TEST_F(ClusterTest, KeepsItsNodesForTenMinutesAfterAddingSome) {
  config_.unneeded_ns = 60 * kSecondNs;
  cluster_ = Cluster(config_, 8, 8, 1, 0);
  cluster_.scale_to(0, 10);
  run_until(100);
  cluster_.scale_to(100 * kSecondNs, 8);
  // One of two on the fullest node goes before the youngest, so that no node is empty.
  run_until(599);
  EXPECT_EQ(count(kPodDraining), 2);
  run_until(600);
  EXPECT_EQ(count(kPodDraining), 3);
  EXPECT_EQ(count(kNodeGone), 0);
  run_until(630);
  EXPECT_EQ(count(kNodeGone), 1);
  EXPECT_EQ(cluster_.pods_ready(), 8);
}

TEST_F(ClusterTest, KeepsTheCalmFleetsNodes) {
  cluster_.scale_to(0, 2);
  run_until(3600);
  EXPECT_EQ(cluster_.nodes().size(), 4U);
}

TEST(Cluster, BootTimesBelongToTheSeed) {
  const auto boots = [](std::uint64_t seed) {
    Cluster cluster({}, 8, 8, seed, 0);
    cluster.scale_to(0, 24);
    cluster.scan(0);
    while (cluster.next_due_ns() < 1000 * kSecondNs) cluster.advance();
    return cluster.take_events();
  };
  EXPECT_EQ(boots(1), boots(1));
  EXPECT_NE(boots(1), boots(2));
}

}  // namespace
}  // namespace flare::eval
