// A receiver's lab in a guest: what only a machine of one's own can be put through.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "e2e/held_streams.h"
#include "e2e/lab.h"
#include "e2e/peers.h"

namespace flare::test {

class GuestLab : public testing::TestWithParam<Attach> {
 protected:
  static constexpr const char* kFrontend = "198.51.100.10:8080";
  static constexpr const char* kBackend = "203.0.113.10:9090";
  /// Seconds that an emulated machine may take to verify the programs.
  static constexpr double kPatience = 300;
  /// Seconds that the share holds without a beat: a small part of a day, and long for such a
  /// machine.
  static constexpr int kLease = 20;

  GuestLab()
      : lab(GetParam()),
        vm(lab.name("vm"), kFrontend, Protocol::kTcp, 'V'),
        cloud(lab.name("cloud"), kBackend, Protocol::kTcp, 'C') {}

  /// A service that spills all, once flared has started.
  void start(const std::string& settings = "") {
    lab.configure(std::string("  - name: web\n    frontend: ") + kFrontend +
                      "\n    policy: formula\n    capacity_rps: 100000\n    min_share: 1\n"
                      "    health: {passive: off}\n    serverless:\n      - endpoint: " +
                      kBackend + "\n" + settings,
                  "  heartbeat_bound: " + std::to_string(kLease) + "s\n");
    lab.start_agent({}, kPatience);
  }
  char ask() const { return who_answers(lab.name("client"), kFrontend, Protocol::kTcp, 20); }
  nlohmann::json json(const std::string& command) const {
    return nlohmann::json::parse(lab.ctl("-o json " + command).out);
  }
  std::uint64_t flows() const { return json("flow count").at("flows").get<std::uint64_t>(); }
  /// How long ago flared renewed its lease, seconds.
  double lease_age() const { return json("status").at("heartbeat_age_ns").get<double>() / 1e9; }
  /// No connection noticed anything but delay.
  void expect_unharmed(HeldStreams& streams) {
    streams.stop();
    EXPECT_EQ(streams.resets(), 0U);
    EXPECT_EQ(streams.corrupt(), 0U);
    EXPECT_GT(streams.exchanges(), 2 * streams.size()) << "they stand still";
    RecordProperty("connections", static_cast<int>(streams.size()));
    RecordProperty("exchanges", static_cast<int>(streams.exchanges()));
    RecordProperty("resets", static_cast<int>(streams.resets()));
  }

  Lab lab;
  EchoServer vm;
  EchoServer cloud;
};

inline std::string attach_name(const testing::TestParamInfo<Attach>& info) {
  return info.param == Attach::kTc ? "Tc" : "Xdp";
}

}  // namespace flare::test
