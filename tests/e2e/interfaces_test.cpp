// Interfaces by pattern under a running flared: whatever comes, goes or changes its name, it is
// followed within a second, which the kernel's own account of what is attached shows.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <set>

#include "e2e/lab.h"
#include "e2e/peers.h"

namespace flare::test {
namespace {

using Names = std::set<std::string>;

class InterfacePatterns : public testing::Test {
 protected:
  InterfacePatterns() : lab(Attach::kTc) { configure("  - match: pod*\n"); }

  void configure(const std::string& interfaces) {
    lab.configure(
        "  - name: web\n    frontend: 198.51.100.10:8080\n    policy: observe\n    serverless:\n"
        "      - endpoint: 203.0.113.10:9090\n",
        "", interfaces);
  }
  void make_pod(int number) {
    const std::string name = std::to_string(number);
    lab.in("vm", "ip link add pod" + name + " type veth peer name peer" + name);
  }
  /// Interfaces, by their present names, whose hooks all run our programs.
  Names attached() const {
    Names names;
    const auto status = nlohmann::json::parse(lab.ctl("-o json status").out);
    for (const auto& interface : status["interfaces"]) {
      bool well = !interface["hooks"].empty();
      for (const auto& hook : interface["hooks"]) well = well && hook["attached"] && hook["ours"];
      if (well) names.insert(interface["interface"].get<std::string>());
    }
    return names;
  }
  int count_in_log(const std::string& words) const {
    const std::string log = lab.agent_log();
    int count = 0;
    for (std::size_t at = log.find(words); at != std::string::npos; at = log.find(words, at + 1))
      ++count;
    return count;
  }
  void expect_within_a_second(const Names& names, const char* when) {
    EXPECT_TRUE(wait_for([&] { return attached() == names; }, 1.0))
        << when << ": " << testing::PrintToString(attached()) << "\n"
        << lab.agent_log();
  }

  Lab lab;
};

TEST_F(InterfacePatterns, AreFollowedWithinASecond) {
  make_pod(1);
  lab.start_agent();
  expect_within_a_second({"eth0", "pod1"}, "there before");
  make_pod(2);
  expect_within_a_second({"eth0", "pod1", "pod2"}, "came");
  lab.in("vm", "ip link set pod1 name old1");
  expect_within_a_second({"eth0", "pod2"}, "fits no more");
  lab.in("vm", "ip link set peer2 name podpeer");
  expect_within_a_second({"eth0", "pod2", "podpeer"}, "fits now");
  lab.in("vm", "ip link set pod2 name pod3");
  expect_within_a_second({"eth0", "pod3", "podpeer"}, "fits under another name");
  lab.in("vm", "ip link del pod3");
  expect_within_a_second({"eth0"}, "went, both ends");
  EXPECT_EQ(lab.agent_log().find(" error "), std::string::npos) << lab.agent_log();
}

TEST_F(InterfacePatterns, ThatGoAndComeBackAreAttachedWithinASecond) {
  make_pod(1);
  lab.start_agent();
  expect_within_a_second({"eth0", "pod1"}, "there before");
  double slowest = 0;
  for (int i = 0; i < 3; ++i) {
    lab.in("vm", "ip link del pod1");
    make_pod(1);
    const auto made = std::chrono::steady_clock::now();
    expect_within_a_second({"eth0", "pod1"}, "made anew under its name");
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - made;
    slowest = std::max(slowest, took.count());
  }
  RecordProperty("back_s", std::to_string(slowest));
  lab.in("vm", "ip link set pod1 netns " + lab.name("client"));
  EXPECT_TRUE(wait_for([this] { return count_in_log("went away interface=pod1") == 4; }, 1.0));
  EXPECT_EQ(attached(), (Names{"eth0", "pod1"})) << "its programs went with it";
  lab.in("client", "ip link set pod1 netns " + lab.name("vm"));
  EXPECT_TRUE(wait_for([this] { return count_in_log("pod1 mode=tc replaced=true") == 1; }, 1.0))
      << lab.agent_log();
  expect_within_a_second({"eth0", "pod1"}, "moved back");
  EXPECT_EQ(lab.agent_log().find(" error "), std::string::npos) << lab.agent_log();
}

TEST_F(InterfacePatterns, ThatGoDownOrLoseTheirCarrierKeepTheirPrograms) {
  lab.configure(
      "  - name: web\n    frontend: 198.51.100.10:8080\n    policy: formula\n    capacity_rps: "
      "100000\n    serverless:\n      - endpoint: 203.0.113.10:9090\n");
  lab.start_agent();
  lab.ctl_ok("share set web 1");
  const EchoServer cloud(lab.name("cloud"), "203.0.113.10:9090", Protocol::kTcp, 'C');
  const auto answers = [this] {
    return who_answers(lab.name("client"), "198.51.100.10:8080", Protocol::kTcp, 1) == 'C';
  };
  const auto programs = [this] {
    return nlohmann::json::parse(lab.ctl("-o json status").out)["interfaces"][0]["hooks"].dump();
  };
  EXPECT_TRUE(answers());
  const std::string before = programs();
  lab.in("router", "ip link set to-vm down; sleep 0.2; ip link set to-vm up");
  EXPECT_TRUE(wait_for(answers, 2)) << "the carrier was gone";
  lab.in("vm",
         "ip link set eth0 down; sleep 0.2; ip link set eth0 up; "
         "ip route replace default via 198.51.100.1");
  EXPECT_TRUE(wait_for(answers, 2)) << "it was down";
  EXPECT_EQ(programs(), before);
  EXPECT_EQ(count_in_log("attached interface="), 1) << "nothing is attached anew";
  EXPECT_EQ(count_in_log("went away"), 0) << "what is down is there";
}

TEST_F(InterfacePatterns, ManyAtOnceAreAllFollowed) {
  lab.start_agent();
  Names names{"eth0"};
  std::string make;
  std::string remove;
  for (int i = 0; i < 40; ++i) {
    const std::string name = std::to_string(i);
    make += "ip link add pod" + name + " type veth peer name peer" + name + "; ";
    remove += "ip link del pod" + name + "; ";
    names.insert("pod" + name);
  }
  lab.in("vm", make);
  expect_within_a_second(names, "came");
  lab.in("vm", remove);
  expect_within_a_second({"eth0"}, "went");
}

TEST_F(InterfacePatterns, DetachedByHandAreLeftAlone) {
  make_pod(1);
  lab.start_agent();
  expect_within_a_second({"eth0", "pod1"}, "there before");
  lab.ctl_ok("detach --interface pod1 --yes");
  make_pod(2);
  expect_within_a_second({"eth0", "pod2"}, "another came");
  lab.in("vm", "ip link set pod1 name pod9");
  EXPECT_FALSE(wait_for([&] { return attached() != Names{"eth0", "pod2"}; }, 1.0));
  lab.ctl_ok("reload");
  expect_within_a_second({"eth0", "pod2", "pod9"}, "a reload ends it");
}

TEST_F(InterfacePatterns, ThatLeaveTheFileAreDetachedAndTheNextAgentFollowsRenames) {
  make_pod(1);
  make_pod(2);
  lab.start_agent();
  expect_within_a_second({"eth0", "pod1", "pod2"}, "there before");
  lab.stop_agent(SIGTERM);
  lab.in("vm", "ip link set pod1 name old1; ip link set pod2 name pod3");
  lab.start_agent();
  expect_within_a_second({"eth0", "pod3"}, "renamed while nobody looked");
  configure("");
  lab.ctl_ok("reload");
  expect_within_a_second({"eth0"}, "no pattern");
}

/// What flared knows to be this host's own shows as a mark of the backend.
TEST_F(InterfacePatterns, AddressesOfThisHostAreFollowedToo) {
  lab.configure(
      "  - name: vip\n    frontend: 198.51.100.77:80\n    placement: balancer\n    policy: "
      "observe\n"
      "    vm: [{endpoint: \"198.51.100.78:80\"}, {endpoint: \"203.0.113.10:80\"}]\n");
  lab.start_agent();
  const auto local = [this] {
    Names names;
    const auto list = nlohmann::json::parse(lab.ctl_ok("-o json backend list"));
    for (const auto& one : list["backends"]) {
      if (one["local"]) names.insert(one["backend"].get<std::string>());
    }
    return names;
  };
  EXPECT_EQ(local(), Names{});
  lab.in("vm", "ip address add 198.51.100.78/32 dev eth0");
  EXPECT_TRUE(wait_for([&] { return local() == Names{"198.51.100.78:80"}; }, 1.0));
  lab.in("vm", "ip address del 198.51.100.78/32 dev eth0");
  EXPECT_TRUE(wait_for([&] { return local().empty(); }, 1.0));
}

}  // namespace
}  // namespace flare::test
