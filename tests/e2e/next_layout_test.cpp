// Open TCP connections while flared becomes one that was built with another abi.h, and back: `make
// continuity` builds that one and names it in FLARE_NEXT_FLARED. Without it there is no such
// test.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "e2e/counted.h"
#include "e2e/held_streams.h"
#include "e2e/lab.h"
#include "e2e/peers.h"
#include "flare/abi.h"

namespace flare::test {
namespace {

constexpr std::size_t kConnections = 1000;

/// A flared, and the layout that it knows.
struct Version {
  std::filesystem::path flared;
  int layout;
};

/// What the datapath knows of a connection.
struct Place {
  std::string way;  ///< backend, and the address and port of ours that it is reached from
  std::uint64_t age_ns = 0;
};
using Places = std::map<std::string, Place>;  ///< by client

class NextLayout : public testing::TestWithParam<LabCase> {
 protected:
  NextLayout()
      : lab(GetParam().attach),
        vm(lab.name("vm"), frontend(), Protocol::kTcp, 'V'),
        cloud(lab.name("cloud"), backend(9090), Protocol::kTcp, 'C'),
        other(lab.name("cloud"), backend(9091), Protocol::kTcp, 'O') {
    lab.configure("  - name: web\n    frontend: \"" + frontend() +
                  "\"\n    policy: formula\n    capacity_rps: 100000\n"
                  "    spend: {per_second: 5000, burst: 5000}\n    serverless:\n"
                  "      - endpoint: \"" +
                  backend(9090) + "\"\n      - endpoint: \"" + backend(9091) + "\"\n");
    lab.start_agent();
    lab.ctl_ok("share set web 1");
  }

  std::string frontend() const {
    return GetParam().v4 ? "198.51.100.10:8080" : "[2001:db8:2::10]:8080";
  }
  std::string backend(int port) const {
    return (GetParam().v4 ? "203.0.113.10:" : "[2001:db8:3::10]:") + std::to_string(port);
  }
  Places places() const {
    Places all;
    // flarectl is ours, and knows our layout.
    const auto list = nlohmann::json::parse(lab.ctl_ok("-o json flow list --limit 0"));
    for (const auto& flow : list["flows"]) {
      all[flow["client"]] = {
          flow["backend"].get<std::string>() + " " + flow["snat"].get<std::string>(),
          flow["age_ns"]};
    }
    return all;
  }
  /// How many of those are elsewhere now, unknown, or younger than they were.
  static std::size_t moved(const Places& before, const Places& now) {
    std::size_t count = 0;
    for (const auto& [client, place] : before) {
      const auto found = now.find(client);
      const bool kept = found != now.end() && found->second.way == place.way &&
                        found->second.age_ns >= place.age_ns;
      if (!kept) ++count;
    }
    return count;
  }
  void start(const Version& version) {
    lab.use(version.flared);
    lab.start_agent();
    for (const auto& entry : std::filesystem::directory_iterator(lab.pin_dir()))
      EXPECT_EQ(entry.path().filename(), "v" + std::to_string(version.layout)) << "a leftover";
    const char answers = who_answers(lab.name("client"), frontend(), Protocol::kTcp);
    EXPECT_TRUE(answers == 'C' || answers == 'O') << "a new flow is with " << answers;
  }
  /// Kills the flared that runs, and the first start of the one that is to follow at its `at`th
  /// step. Where `back`, the earlier one is started before that one is again.
  void cross(const Version& from, const Version& to, int at, Calls count, bool back) {
    lab.stop_agent(SIGKILL);
    lab.use(to.flared);
    if (lab.kill_a_start_at(at, count) == at) ++crashes;
    if (back) {
      start(from);
      lab.stop_agent(SIGKILL);
    }
    start(to);
  }
  /// How many steps a start takes that takes the other layout over. It is undone.
  int steps_of(const Version& from, const Version& to, Calls count) {
    lab.stop_agent(SIGKILL);
    lab.use(to.flared);
    const int steps = lab.kill_a_start_at(0, count);
    start(from);
    return steps;
  }

  Lab lab;
  EchoServer vm;
  EchoServer cloud;
  EchoServer other;
  int crashes = 0;
};

TEST_P(NextLayout, AndBackBreaksNoneOfAThousandConnections) {
  const Version ours{FLARED, FLARE_ABI_VERSION};
  const Version next{std::getenv("FLARE_NEXT_FLARED"), FLARE_ABI_VERSION + 1};
  HeldStreams streams(lab.name("client"), frontend(), kConnections, 0.02);
  ASSERT_EQ(streams.greeted_by('C') + streams.greeted_by('O'), kConnections);
  EXPECT_GT(streams.greeted_by('C'), kConnections / 3);
  EXPECT_GT(streams.greeted_by('O'), kConnections / 3);
  ASSERT_TRUE(streams.all_answer());
  const Places before = places();
  ASSERT_EQ(before.size(), kConnections);

  const int runs = steps_of(ours, next, Calls::kRuns);
  const int each = steps_of(ours, next, Calls::kEach);
  EXPECT_GT(runs, 200);
  EXPECT_GT(each, runs + 1000) << "every connection is written";
  const int turns = times("FLARE_UPGRADE_STEPS", 20);
  std::size_t elsewhere = 0;
  for (int i = 0; i < turns; ++i) {
    const int calls = i % 2 == 0 ? runs : each;
    const Calls count = i % 2 == 0 ? Calls::kRuns : Calls::kEach;
    const int at = 1 + (calls - 2) * (2 * i + 1) / (2 * turns);
    SCOPED_TRACE("killed at step " + std::to_string(at) + " of " + std::to_string(calls));
    cross(ours, next, at, count, i % 4 < 2);
    EXPECT_TRUE(streams.all_answer()) << "in the next layout";
    cross(next, ours, at, count, i % 4 >= 2);
    EXPECT_TRUE(streams.all_answer()) << "back";
    elsewhere = std::max(elsewhere, moved(before, places()));
  }
  streams.stop();
  RecordProperty("flows", std::to_string(streams.size()));
  RecordProperty("broken", std::to_string(streams.resets() + streams.corrupt()));
  RecordProperty("moved", std::to_string(elsewhere));
  RecordProperty("changes_of_layout", std::to_string(2 * turns));
  RecordProperty("crashes", std::to_string(crashes));
  RecordProperty("steps_of_a_start", std::to_string(each));
  RecordProperty("messages", std::to_string(streams.exchanges()));
  RecordProperty("longest_wait_ms",
                 std::to_string(static_cast<int>(streams.longest_wait() * 1000)));
  EXPECT_EQ(streams.resets(), 0U);
  EXPECT_EQ(streams.corrupt(), 0U);
  EXPECT_EQ(elsewhere, 0U) << "a connection keeps its backend, its port and its age";
  EXPECT_GT(crashes, turns);
  EXPECT_LT(streams.longest_wait(), 10.0) << "a stall";
}

std::vector<LabCase> with_next_layout() {
  if (std::getenv("FLARE_NEXT_FLARED") == nullptr) return {};
  return {kLabCases.begin(), kLabCases.end()};
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(NextLayout);
INSTANTIATE_TEST_SUITE_P(Paths, NextLayout, testing::ValuesIn(with_next_layout()), lab_case_name);

}  // namespace
}  // namespace flare::test
