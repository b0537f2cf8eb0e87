// The agent killed, and its programs replaced, under a stream that is counted packet by packet.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <string>
#include <thread>

#include "e2e/counted.h"
#include "e2e/stream/packet_stream.h"
#include "kernel/datapath.h"

namespace flare::test {
namespace {

class Kills : public Counted {};

/// It is killed at any moment of its life: also while it loads, and while it attaches.
TEST_P(Kills, LoseNoPacketAndTheStateIsBackInASecond) {
  PacketStream stream(lab, client(), frontend(), kFlows);
  stream.start(kRate);
  // Each turn kills it twice.
  const int turns = times("FLARE_KILLS", 10) / 2;
  double slowest_ms = 0;
  double back_s = 0;
  for (int i = 0; i < turns; ++i) {
    lab.stop_agent(SIGKILL);
    lab.kill_a_start(std::chrono::milliseconds(1500 * i / turns));
    const auto begun = std::chrono::steady_clock::now();
    lab.start_agent();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    back_s = std::max(back_s, took.count());
    slowest_ms = std::max(slowest_ms, logged("state_ms"));
    EXPECT_NE(lab.ctl_ok("service list").find("web"), std::string::npos);
  }
  const StreamCount count = stream.stop();
  const std::string share = lab.ctl_ok("-o json service show web");
  EXPECT_NE(share.find("\"share_pinned\": true"), std::string::npos) << share;
  EXPECT_GE(slowest_ms, 0) << "no such figure in the log";
  EXPECT_LT(slowest_ms, 1000);
  RecordProperty("kills", std::to_string(2 * turns));
  RecordProperty("state_back_ms", std::to_string(slowest_ms));
  RecordProperty("start_s", std::to_string(back_s));
  expect_nothing_lost(count);
}

class Swaps : public Counted {};

/// What an upgrade does to the programs, again and again: a second process of the same layout
/// adopts maps and links, and replaces the programs in place.
TEST_P(Swaps, OfTheProgramsLoseNoPacket) {
  PacketStream stream(lab, client(), frontend(), kFlows);
  const InterfaceConfig interface {
    .name = "eth0", .mode = GetParam().attach == Attach::kTc ? FLARE_ATTACH_TC : FLARE_ATTACH_XDP
  };
  const NamespaceScope scope(lab.name("vm"));
  LoadOptions options;
  options.pin_dir = lab.pin_dir();
  options.limits = {.services = 32, .backends = 512, .flows = 20'000, .embryos = 8192};
  auto one = Datapath::load(options);
  ASSERT_TRUE(one) << one.error().message();
  auto other = Datapath::load(options);
  ASSERT_TRUE(other) << other.error().message();
  EXPECT_TRUE(one->adopted() && other->adopted());

  const int swaps = times("FLARE_SWAPS", 200);
  const auto begun = std::chrono::steady_clock::now();
  const std::uint64_t before = stream.sent();
  const double rate = times("FLARE_SWAP_RATE", static_cast<int>(kRate));
  const auto between = static_cast<std::uint64_t>(rate / 300);
  stream.start(rate);
  for (int i = 0; i < swaps; ++i) {
    auto attached = (i % 2 == 0 ? *other : *one).attach(interface);
    ASSERT_TRUE(attached) << attached.error().message();
    EXPECT_TRUE(attached->replaced);
    for (const std::uint64_t at = stream.sent(); stream.sent() < at + between;)
      std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  const StreamCount count = stream.stop();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  RecordProperty("swaps", std::to_string(swaps));
  RecordProperty("kpps_asked", std::to_string(rate / 1e3));
  RecordProperty("kpps",
                 std::to_string(static_cast<double>(count.sent - before) / took.count() / 1e3));
  expect_nothing_lost(count);
}

INSTANTIATE_TEST_SUITE_P(Paths, Kills, counted_paths({true, Attach::kXdp}), lab_case_name);
INSTANTIATE_TEST_SUITE_P(Paths, Swaps, counted_paths({false, Attach::kTc}), lab_case_name);

}  // namespace
}  // namespace flare::test
