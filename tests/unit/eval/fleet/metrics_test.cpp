#include "eval/fleet/metrics.h"

#include <gtest/gtest.h>

#include "eval/fleet/config.h"
#include "eval/fleet/events.h"

namespace flare::eval {
namespace {

void observe(MetricsServer& server, int second, std::vector<PodCpu> pods,
             std::optional<double> rps = std::nullopt) {
  server.observe(second * kSecondNs, {pods, rps});
}

TEST(MetricsServer, TellsNothingBeforeTheFirstScrape) {
  MetricsServer server(0);
  observe(server, 1, {{1, 0.5}}, 200);
  EXPECT_FALSE(server.cpu_of(1));
  EXPECT_FALSE(server.total_rps());
}

TEST(MetricsServer, TellsMeansOfTheLastWholeWindow) {
  MetricsServer server(0);
  observe(server, 1, {{1, 0.2}}, 100);
  observe(server, 3, {{1, 0.8}}, 400);  // twice as long
  server.scrape(3 * kSecondNs);
  observe(server, 4, {{1, 1.0}}, 900);
  ASSERT_TRUE(server.cpu_of(1));
  EXPECT_DOUBLE_EQ(server.cpu_of(1)->value, 0.6);
  EXPECT_EQ(server.cpu_of(1)->taken_ns, 3 * kSecondNs);
  EXPECT_DOUBLE_EQ(server.total_rps()->value, 300);
  server.scrape(4 * kSecondNs);
  EXPECT_DOUBLE_EQ(server.cpu_of(1)->value, 1.0);
}

TEST(MetricsServer, ForgetsAPodThatIsGone) {
  MetricsServer server(0);
  observe(server, 1, {{1, 0.2}, {2, 0.4}}, 100);
  server.scrape(kSecondNs);
  EXPECT_TRUE(server.cpu_of(2));
  observe(server, 2, {{1, 0.2}});
  server.scrape(2 * kSecondNs);
  EXPECT_FALSE(server.cpu_of(2));
  EXPECT_FALSE(server.total_rps());
}

TEST(NodeSeconds, AreThoseBetweenTwoMoments) {
  const std::vector<FleetEvent> events{
      {10 * kSecondNs, FleetEventKind::kNodeRequested, 5, 0},
      {80 * kSecondNs, FleetEventKind::kNodeUp, 5, 0},
      {90 * kSecondNs, FleetEventKind::kNodeGone, 4, 0},
  };
  EXPECT_DOUBLE_EQ(node_seconds(4, events, 0, 100 * kSecondNs), 400 + 90 - 10);
  EXPECT_DOUBLE_EQ(node_seconds(4, events, 50 * kSecondNs, 100 * kSecondNs), 200 + 50 - 10);
  EXPECT_DOUBLE_EQ(node_seconds(4, events, -kSecondNs, 10 * kSecondNs), 44);
}

}  // namespace
}  // namespace flare::eval
