// What the tests have in common that count a stream packet by packet while something befalls
// flared. The numbers are small in the suite; environment variables make them large.
#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "e2e/lab.h"
#include "e2e/stream/packet_stream.h"

namespace flare::test {

inline constexpr std::uint32_t kFlows = 256;
inline constexpr double kRate = 20'000;

/// How often, from the environment.
inline int times(const char* variable, int usual) {
  const char* text = std::getenv(variable);
  return text == nullptr ? usual : std::atoi(text);
}

/// One path in the suite, all of them where the numbers are large.
inline auto counted_paths(LabCase usual) {
  return testing::ValuesIn(std::getenv("FLARE_KILLS") == nullptr
                               ? std::vector<LabCase>{usual}
                               : std::vector<LabCase>(kLabCases.begin(), kLabCases.end()));
}

class Counted : public testing::TestWithParam<LabCase> {
 protected:
  Counted() : lab(GetParam().attach) {
    lab.configure("  - name: web\n    frontend: \"" + frontend() +
                  "\"\n    protocol: udp\n    policy: formula\n    capacity_rps: 100000\n"
                  "    spend: {per_second: 5000, burst: 5000}\n    serverless:\n" +
                  backend(9090) + backend(9091));
    lab.start_agent();
    lab.ctl_ok("share set web 1");
  }

  std::string frontend() const {
    return GetParam().v4 ? "198.51.100.10:8080" : "[2001:db8:2::10]:8080";
  }
  std::string client() const { return GetParam().v4 ? "192.0.2.10" : "2001:db8:1::10"; }
  std::string backend(int port) const {
    return "      - endpoint: \"" +
           std::string(GetParam().v4 ? "203.0.113.10:" : "[2001:db8:3::10]:") +
           std::to_string(port) + "\"\n";
  }
  /// The last figure of this name in the agent's log.
  double logged(const std::string& name) const {
    const std::string log = lab.agent_log();
    const std::size_t at = log.rfind(" " + name + "=");
    return at == std::string::npos ? -1 : std::atof(log.c_str() + at + name.size() + 2);
  }
  void expect_nothing_lost(const StreamCount& count) {
    test::expect_nothing_lost(count);
    EXPECT_GT(count.sent, 2 * kFlows);
    std::printf("%llu packets, %llu lost\n", static_cast<unsigned long long>(count.sent),
                static_cast<unsigned long long>(count.lost));
  }

  Lab lab;
};

}  // namespace flare::test
