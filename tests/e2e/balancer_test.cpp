// A balancer between two clients, eight VMs and a cloud: every combination of family, protocol,
// hook, SNAT and the place of the backend, with the same byte-verified traffic.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "e2e/balancer_lab.h"

namespace flare::test {
namespace {

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
      // Services share backends: where a client's port is kept, it is that of one of them.
      const int first = 20'000 + 1000 * static_cast<int>(&row - rows.data());
      lab.in(client, "echo " + std::to_string(first) + " " + std::to_string(first + 999) +
                         " >/proc/sys/net/ipv4/ip_local_port_range");
      const std::string tags =
          ask(client, row.port, row.protocol, row.local || row.spills ? 5 : 40);
      if (row.local || row.spills) {
        EXPECT_EQ(tags, std::string(5, row.local ? 'L' : 'C')) << counters(row.name);
      } else {
        EXPECT_EQ(std::count_if(tags.begin(), tags.end(),
                                [](char tag) { return tag < '1' || tag > '8'; }),
                  0)
            << tags << counters(row.name);
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
