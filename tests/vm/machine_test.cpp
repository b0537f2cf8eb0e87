// The clock is set, a CPU goes: connections, the lease and what was counted do not mind.
#include <sched.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <thread>

#include "guest_lab.h"

namespace flare::test {
namespace {

constexpr time_t kDay = 86'400;

void hold(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

void set_clock_forward(time_t seconds) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  now.tv_sec += seconds;
  if (::clock_settime(CLOCK_REALTIME, &now) != 0) throw std::runtime_error("cannot set the clock");
}

void set_second_cpu(bool online) {
  std::ofstream file("/sys/devices/system/cpu/cpu1/online");
  file << (online ? '1' : '0');
  if (!file.flush()) throw std::runtime_error("cannot switch the second CPU");
}

class Machine : public GuestLab {};

TEST_P(Machine, ADayForwardAndTwoBackChangeNothing) {
  start();
  HeldStreams streams(lab.name("client"), kFrontend, 30, 0.02);
  ASSERT_EQ(streams.greeted_by('C'), 30U);
  const std::uint64_t before = flows();
  double oldest = 0;
  for (const time_t step : {kDay, -kDay, -kDay, kDay}) {
    set_clock_forward(step);
    for (int i = 0; i < 8; ++i) {
      hold(0.25);
      oldest = std::max(oldest, lease_age());
    }
    EXPECT_EQ(ask(), 'C') << "the share holds: the lease is fresh";
    EXPECT_GE(flows(), before) << "no flow ended of age";
    EXPECT_TRUE(json("status").at("heartbeat_fresh").get<bool>());
  }
  EXPECT_LT(oldest, kLease) << "the lease";
  EXPECT_GE(oldest, 0);
  expect_unharmed(streams);
  RecordProperty("lease_age_ms", static_cast<int>(oldest * 1000));
}

/// All that was counted of the service.
nlohmann::json counted(const nlohmann::json& shown) { return shown.at("counters"); }

TEST_P(Machine, ACpuThatGoesTakesNoCountWithIt) {
  start();
  // both CPUs must have counted something
  for (int cpu = 0; cpu < 2; ++cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    ASSERT_EQ(::sched_setaffinity(0, sizeof set, &set), 0);
    for (int i = 0; i < 10; ++i) EXPECT_EQ(ask(), 'C');
  }
  cpu_set_t all;
  CPU_ZERO(&all);
  CPU_SET(0, &all);
  CPU_SET(1, &all);
  ASSERT_EQ(::sched_setaffinity(0, sizeof all, &all), 0);
  hold(2);  // the last connection's end
  const auto before = counted(json("counters --service web"));
  set_second_cpu(false);
  EXPECT_EQ(counted(json("counters --service web")), before);
  HeldStreams streams(lab.name("client"), kFrontend, 10, 0.02);
  EXPECT_EQ(streams.greeted_by('C'), 10U);
  hold(1);
  const auto alone = counted(json("counters --service web"));
  EXPECT_NE(alone, before) << "one CPU counts";
  set_second_cpu(true);
  hold(1);
  EXPECT_EQ(ask(), 'C');
  lab.stop_agent(SIGTERM);
  set_second_cpu(false);
  lab.start_agent({}, kPatience);
  EXPECT_EQ(ask(), 'C') << "flared starts with a CPU that is away";
  set_second_cpu(true);
  expect_unharmed(streams);
}

/// The limit is one for all CPUs: it is the same with one of them away.
TEST_P(Machine, SpendsTheSameWithACpuAway) {
  start("    spend: {per_second: 1, burst: 10}\n");
  for (const bool online : {true, false}) {
    set_second_cpu(online);
    hold(12);
    int spilled = 0;
    const auto begun = std::chrono::steady_clock::now();
    for (int i = 0; i < 25; ++i) spilled += ask() == 'C';
    const double took =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    EXPECT_GE(spilled, 10) << "the burst";
    EXPECT_LE(spilled, std::min(25.0, 10 + took + 1)) << "in " << took << " s";
    RecordProperty(online ? "spilled_by_two" : "spilled_by_one", spilled);
  }
  set_second_cpu(true);
}

INSTANTIATE_TEST_SUITE_P(Paths, Machine, testing::Values(Attach::kTc), attach_name);

}  // namespace
}  // namespace flare::test
