// A balancer between two clients, eight VMs and a cloud, with a server that says its tag on each of
// them but the clients: `1` to `8`, `C`, and `L` on the balancer itself.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "e2e/lab.h"
#include "e2e/peers.h"

namespace flare::test {

inline constexpr int kVms = 8;

struct BalancerCase {
  bool v4;
  Attach attach;
  Shape shape;
};

inline std::string balancer_case_name(const testing::TestParamInfo<BalancerCase>& info) {
  return lab_case_name({{info.param.v4, info.param.attach}, info.index}) +
         (info.param.shape == Shape::kOneArm ? "OneArm" : "TwoArms");
}

class BalancerLab : public testing::TestWithParam<BalancerCase> {
 protected:
  BalancerLab() : lab(GetParam().attach, GetParam().shape) {
    // on lo, too, an address is tentative until a worker of the kernel has had its turn
    lab.in("lb", "ip address add dev lo " +
                     std::string(v4() ? "10.99.0.1/32" : "2001:db8:99::1/128 nodad"));
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
  /// What became of packets, and of a service's flows: what was refused, and why.
  std::string counters(const std::string& of_service) const {
    return lab.ctl("counters").out + lab.ctl("counters --service " + of_service).out;
  }
  void expect_transfer(const std::string& client, int port) const {
    std::string why;
    EXPECT_TRUE(transfer(lab.name(client), vip(port), 4'000'000, 20, &why)) << why;
  }

  Lab lab;
  std::vector<std::unique_ptr<EchoServer>> servers;
};

}  // namespace flare::test
