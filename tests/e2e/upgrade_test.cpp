// From one layout of the maps to another while packets flow, and an end of flared amid it.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "e2e/counted.h"
#include "e2e/stream/layout_aging.h"
#include "e2e/stream/packet_stream.h"
#include "flare/abi.h"

namespace flare::test {
namespace {

class Upgrade : public Counted {
 protected:
  std::filesystem::path layout() const {
    return lab.pin_dir() / ("v" + std::to_string(FLARE_ABI_VERSION));
  }
  void expect_only(const std::filesystem::path& layout) const {
    for (const auto& entry : std::filesystem::directory_iterator(lab.pin_dir()))
      EXPECT_EQ(entry.path(), layout) << "a leftover";
    EXPECT_FALSE(std::filesystem::exists(layout / "unfinished"));
  }
};

TEST_P(Upgrade, FromALayoutWithOtherRecordsLosesNoPacket) {
  PacketStream stream(lab, client(), frontend(), kFlows);
  stream.start(kRate);
  lab.stop_agent(SIGKILL);
  age_layout(lab.pin_dir());
  lab.start_agent();
  expect_only(layout());
  EXPECT_NE(lab.agent_log().find("adopted=true"), std::string::npos) << lab.agent_log();
  const std::string share = lab.ctl_ok("-o json service show web");
  EXPECT_NE(share.find("\"share_pinned\": true"), std::string::npos) << share;
  RecordProperty("flows", std::to_string(kFlows));
  expect_nothing_lost(stream.stop());
}

/// Killed at system calls that lie evenly over a start that takes another layout over; then started
/// again, which finishes it.
TEST_P(Upgrade, ThatIsKilledAnywhereIsFinishedByTheNextStart) {
  PacketStream stream(lab, client(), frontend(), kFlows);
  stream.start(kRate);
  lab.stop_agent(SIGKILL);
  age_layout(lab.pin_dir());
  const int calls = lab.kill_a_start_at(0);
  ASSERT_GT(calls, 100);
  const int steps = times("FLARE_UPGRADE_STEPS", 3);
  for (int i = 0; i < steps; ++i) {
    age_layout(lab.pin_dir());
    // The later ones are those at which something changes.
    const int at = calls - calls * i / steps / 2 - 1;
    EXPECT_EQ(lab.kill_a_start_at(at), at);
    lab.start_agent();
    expect_only(layout());
    lab.stop_agent(SIGKILL);
  }
  lab.start_agent();
  RecordProperty("crashes", std::to_string(steps));
  RecordProperty("system_calls", std::to_string(calls));
  RecordProperty("flows", std::to_string(kFlows));
  expect_nothing_lost(stream.stop());
}

/// What this flared cannot read stays as it is, attached.
TEST_P(Upgrade, FromALayoutThatSaysNothingOfItselfIsRefused) {
  PacketStream stream(lab, client(), frontend(), kFlows);
  stream.start(kRate);
  lab.stop_agent(SIGKILL);
  const auto aged = age_layout(lab.pin_dir());
  std::filesystem::remove(aged / "layout");
  EXPECT_THROW(lab.start_agent(), std::runtime_error);
  EXPECT_NE(lab.agent_log().find("does not describe its layout"), std::string::npos)
      << lab.agent_log();
  EXPECT_TRUE(std::filesystem::exists(aged / "flows"));
  EXPECT_TRUE(wait_for([&] { return stream.sent() > 2 * kFlows; }, 10));
  expect_nothing_lost(stream.stop());
  std::filesystem::remove_all(layout());
  std::filesystem::rename(aged, layout());
}

INSTANTIATE_TEST_SUITE_P(Paths, Upgrade, counted_paths({true, Attach::kXdp}), lab_case_name);

}  // namespace
}  // namespace flare::test
