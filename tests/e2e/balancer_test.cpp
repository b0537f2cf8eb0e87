// A balancer between two clients, eight VMs and a cloud: every combination of family, protocol,
// hook, SNAT and the place of the backend, with the same byte-verified traffic.
#include <gtest/gtest.h>

#include <signal.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "e2e/lab.h"
#include "e2e/peers.h"

namespace flare::test {
namespace {

constexpr int kVms = 8;

struct BalancerCase {
  bool v4;
  Attach attach;
  Shape shape;
};

std::string balancer_case_name(const testing::TestParamInfo<BalancerCase>& info) {
  return lab_case_name({{info.param.v4, info.param.attach}, info.index}) +
         (info.param.shape == Shape::kOneArm ? "OneArm" : "TwoArms");
}

class BalancerLab : public testing::TestWithParam<BalancerCase> {
 protected:
  BalancerLab() : lab(GetParam().attach, GetParam().shape) {
    lab.in("lb", "ip address add " + std::string(v4() ? "10.99.0.1/32" : "2001:db8:99::1/128") +
                     " dev lo");
    for (int vm = 1; vm <= kVms; ++vm)
      serve("vm" + std::to_string(vm), vm_address(vm), static_cast<char>('0' + vm));
    serve("cloud", host_address(2), 'C');
    serve("lb", local_address(), 'L');
  }

  static bool v4() { return GetParam().v4; }
  static bool two_arms() { return GetParam().shape == Shape::kTwoArms; }
  static std::string host_address(int number) {
    return v4() ? "10.20." + std::to_string(number) + ".10"
                : "2001:db8:20:" + std::to_string(number) + "::10";
  }
  static std::string vm_address(int vm) { return host_address(vm + 2); }
  static std::string local_address() { return v4() ? "10.99.0.1" : "2001:db8:99::1"; }
  static std::string at(const std::string& address, int port) {
    return (v4() ? address : "[" + address + "]") + ":" + std::to_string(port);
  }
  static std::string vip(int port) { return at(v4() ? "203.0.113.100" : "2001:db8:3::100", port); }
  void serve(const std::string& host, const std::string& address, char tag) {
    for (const Protocol protocol : {Protocol::kTcp, Protocol::kUdp})
      servers.push_back(
          std::make_unique<EchoServer>(lab.name(host), at(address, 9000), protocol, tag));
  }
  static std::string backends(const std::vector<std::string>& endpoints) {
    std::string list;
    for (const std::string& endpoint : endpoints)
      list += "      - endpoint: \"" + endpoint + "\"\n";
    return list;
  }
  static std::string service(const std::string& name, int port, Protocol protocol,
                             const std::vector<std::string>& vms, const std::string& settings) {
    return "  - name: " + name + "\n    frontend: \"" + vip(port) +
           "\"\n    protocol: " + std::string(to_text(protocol)) +
           "\n    placement: balancer\n    policy: formula\n    capacity_rps: 100000\n    vm:\n" +
           backends(vms) + "    serverless:\n" + backends({at(host_address(2), 9000)}) + settings;
  }
  static std::vector<std::string> all_vms() {
    std::vector<std::string> all;
    for (int vm = 1; vm <= kVms; ++vm) all.push_back(at(vm_address(vm), 9000));
    return all;
  }
  std::string ask(const std::string& client, int port, Protocol protocol, int times) const {
    std::string tags;
    for (int i = 0; i < times; ++i) tags += who_answers(lab.name(client), vip(port), protocol);
    return tags;
  }
  void expect_transfer(const std::string& client, int port) const {
    std::string why;
    EXPECT_TRUE(transfer(lab.name(client), vip(port), 4'000'000, 20, &why)) << why;
  }

  Lab lab;
  std::vector<std::unique_ptr<EchoServer>> servers;
};

TEST_P(BalancerLab, CarriesEveryCombination) {
  struct Row {
    std::string name;
    int port;
    Protocol protocol;
    bool local;
    bool spills;
    std::string snat;
  };
  std::vector<Row> rows;
  std::string text;
  int port = 7000;
  // with one arm, replies to a client's own address would not come back this way
  const std::vector<std::string> modes = two_arms()
                                             ? std::vector<std::string>{"always", "never", "auto"}
                                             : std::vector<std::string>{"always", "auto"};
  for (const Protocol protocol : {Protocol::kTcp, Protocol::kUdp}) {
    for (const std::string& snat : modes) {
      for (const std::string& kind : std::vector<std::string>{"remote", "local", "spill"}) {
        const Row row{std::string(to_text(protocol)) + "-" + snat + "-" + kind,
                      ++port,
                      protocol,
                      kind == std::string("local"),
                      kind == std::string("spill"),
                      snat};
        text += service(row.name, row.port, protocol,
                        row.local ? std::vector{at(local_address(), 9000)} : all_vms(),
                        "    snat_mode: " + snat + "\n" + (row.spills ? "    min_share: 1\n" : ""));
        rows.push_back(row);
      }
    }
  }
  lab.configure(text, "");
  lab.start_agent();
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    for (const char* client : {"client", "client2"}) {
      SCOPED_TRACE(client);
      const std::string tags =
          ask(client, row.port, row.protocol, row.local || row.spills ? 5 : 40);
      if (row.local || row.spills) {
        EXPECT_EQ(tags, std::string(5, row.local ? 'L' : 'C')) << lab.ctl("counters").out;
      } else {
        EXPECT_EQ(std::count_if(tags.begin(), tags.end(),
                                [](char tag) { return tag < '1' || tag > '8'; }),
                  0)
            << tags << lab.ctl("counters").out;
        EXPECT_GE(std::set<char>(tags.begin(), tags.end()).size(), 4U) << tags;
      }
    }
    if (row.protocol == Protocol::kTcp) {
      expect_transfer("client", row.port);
    } else {
      EXPECT_TRUE(echoes_datagram(lab.name("client"), vip(row.port), 4000)) << "in fragments";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, BalancerLab,
                         testing::Values(BalancerCase{true, Attach::kTc, Shape::kTwoArms},
                                         BalancerCase{true, Attach::kXdp, Shape::kTwoArms},
                                         BalancerCase{false, Attach::kTc, Shape::kTwoArms},
                                         BalancerCase{false, Attach::kXdp, Shape::kTwoArms},
                                         BalancerCase{true, Attach::kTc, Shape::kOneArm},
                                         BalancerCase{true, Attach::kXdp, Shape::kOneArm},
                                         BalancerCase{false, Attach::kTc, Shape::kOneArm},
                                         BalancerCase{false, Attach::kXdp, Shape::kOneArm}),
                         balancer_case_name);

}  // namespace
}  // namespace flare::test
