// A control plane adds, drains and removes the VMs of a balancer under traffic.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>

#include "e2e/balancer_lab.h"
#include "e2e/held_streams.h"

namespace flare::test {
namespace {

using nlohmann::json;

/// New connections, one after the other, until it ends; none may fail.
class Dialers {
 public:
  Dialers(std::string client, std::string endpoint)
      : client_(std::move(client)), endpoint_(std::move(endpoint)), thread_([this] { dial(); }) {}
  ~Dialers() { stop(); }
  Dialers(const Dialers&) = delete;
  Dialers& operator=(const Dialers&) = delete;

  void stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  std::uint64_t answered() const { return answered_; }
  std::uint64_t failed() const { return failed_; }

 private:
  void dial() {
    while (!stop_) {
      const char tag = who_answers(client_, endpoint_, Protocol::kTcp);
      ++(tag == '-' ? failed_ : answered_);
    }
  }

  std::string client_;
  std::string endpoint_;
  std::atomic<bool> stop_ = false;
  std::atomic<std::uint64_t> answered_ = 0, failed_ = 0;
  std::thread thread_;
};

class EndpointsLab : public BalancerLab {
 protected:
  static constexpr int kPort = 7000;

  EndpointsLab() {
    lab.configure("  - name: web\n    frontend: \"" + vip(kPort) +
                  "\"\n    placement: balancer\n    policy: cap\n    vm: []\n    serverless:\n" +
                  backends({at(host_address(2), 9000)}));
    lab.start_agent();
  }

  static std::string vm(int number) { return at(vm_address(number), 9000); }
  std::string tags(int times = 30) const {
    const std::string all = ask("client2", kPort, Protocol::kTcp, times);
    const std::set<char> once(all.begin(), all.end());
    return {once.begin(), once.end()};
  }
  json service() const { return json::parse(lab.ctl_ok("-o json service show web"))["service"]; }
  json backend(const std::string& endpoint) const {
    const json list = json::parse(lab.ctl_ok("-o json backend list"));
    for (const json& one : list["backends"]) {
      if (one["backend"] == endpoint) return one;
    }
    return nullptr;
  }
};

TEST_P(EndpointsLab, FollowTheControlPlaneAndNoConnectionNotices) {
  EXPECT_EQ(tags(10), "C") << "no VM backend: all spills";
  lab.ctl_ok("backend add web " + vm(1) + " --workers 100 --capacity-rps 1000000 --generation 5");
  lab.ctl_ok("backend add web " + vm(2) + " --workers 60 --capacity-rps 600000 --generation 6");
  EXPECT_EQ(tags(), "12");
  EXPECT_EQ(service()["workers"], 160);
  EXPECT_EQ(service()["cap"], 240);
  EXPECT_EQ(service()["capacity_rps"], 1600000);
  EXPECT_EQ(backend(vm(1))["source"], "control-plane");
  EXPECT_EQ(backend(vm(1))["workers"], 100);

  HeldStreams held(lab.name("client"), vip(kPort), 24);
  ASSERT_EQ(held.size(), 24U);
  EXPECT_GT(held.greeted_by('1'), 0U);
  Dialers dialers(lab.name("client"), vip(kPort));

  lab.ctl_ok("backend add web " + vm(3) + " --workers 40 --capacity-rps 400000 --generation 7");
  EXPECT_EQ(tags(60), "123");
  EXPECT_EQ(service()["cap"], 300);
  lab.ctl_ok("backend drain web " + vm(1) + " --generation 8");
  EXPECT_EQ(tags(), "23");
  EXPECT_EQ(service()["cap"], 150) << "at once, with its flows still open";
  lab.ctl_ok("backend remove web " + vm(1) + " --generation 9");
  EXPECT_EQ(backend(vm(1)), nullptr);
  EXPECT_EQ(tags(), "23");

  lab.stop_agent(SIGKILL);
  lab.start_agent();
  EXPECT_EQ(tags(), "23") << "what was told holds after a restart and a reload";
  EXPECT_EQ(service()["cap"], 150);
  EXPECT_EQ(service()["capacity_rps"], 1000000);
  const CommandResult stale = lab.ctl("backend add web " + vm(1) + " --workers 100 --generation 8");
  EXPECT_EQ(stale.exit_code, 1);
  EXPECT_NE(stale.out.find("generation 8 is stale: service 'web' is at 9"), std::string::npos)
      << stale.out;

  // Without a drain: its open flows go on, too.
  const std::string removed = lab.ctl_ok("backend remove web " + vm(2) + " --generation 9");
  EXPECT_EQ(removed.find("nothing to change"), std::string::npos) << removed;
  const std::string again = lab.ctl_ok("backend remove web " + vm(2) + " --generation 9");
  EXPECT_NE(again.find("nothing to change"), std::string::npos) << again;
  EXPECT_EQ(tags(), "3");
  const std::uint64_t exchanges = held.exchanges();
  EXPECT_TRUE(wait_for([&] { return held.exchanges() > exchanges + 1000; }));
  lab.ctl_ok("backend add web " + vm(1) + " --workers 100 --capacity-rps 1000000");
  EXPECT_EQ(tags(), "13");
  EXPECT_EQ(service()["workers"], 140);

  dialers.stop();
  held.stop();
  EXPECT_GT(dialers.answered(), 100U);
  EXPECT_EQ(dialers.failed(), 0U);
  EXPECT_EQ(held.resets(), 0U);
  EXPECT_EQ(held.corrupt(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Shapes, EndpointsLab,
                         testing::Values(BalancerCase{true, Attach::kTc, Shape::kTwoArms},
                                         BalancerCase{false, Attach::kXdp, Shape::kOneArm}),
                         balancer_case_name);

}  // namespace
}  // namespace flare::test
