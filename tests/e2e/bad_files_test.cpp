// Every bad configuration of the unit tests, put before a running agent one after the other.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "agent/bad_configs.h"
#include "e2e/held_streams.h"
#include "e2e/lab.h"
#include "e2e/peers.h"

namespace flare::test {
namespace {

constexpr const char* kFrontend = "198.51.100.10:8080";
constexpr const char* kBackend = "203.0.113.10:9090";

void replace(const std::filesystem::path& path, const std::string& text) {
  const std::filesystem::path fresh = path.string() + ".bad";
  std::ofstream(fresh, std::ios::binary) << text;
  ::chmod(fresh.c_str(), 0600);
  std::filesystem::rename(fresh, path);
}

TEST(BadFiles, AreAllRefusedByTheRunningAgentWhichGoesOn) {
  Lab lab(Attach::kTc);
  const EchoServer vm(lab.name("vm"), kFrontend, Protocol::kTcp, 'V');
  const EchoServer cloud(lab.name("cloud"), kBackend, Protocol::kTcp, 'C');
  lab.configure(std::string("  - name: web\n    frontend: ") + kFrontend +
                "\n    policy: formula\n    capacity_rps: 100000\n    serverless:\n"
                "      - endpoint: " +
                kBackend + "\n");
  lab.in("vm", "sysctl -qw net.ipv4.ip_local_reserved_ports=40000-40009");  // as test_host() has it
  lab.start_agent();
  lab.ctl_ok("share set web 1");
  HeldStreams streams(lab.name("client"), kFrontend, 20);
  ASSERT_EQ(streams.greeted_by('C'), 20U);
  int refused = 0;
  for (const BadConfig& bad : bad_configs()) {
    SCOPED_TRACE(bad.name);
    replace(lab.folder() / "flare.yaml", bad.text());
    const CommandResult reload = lab.ctl("reload");
    EXPECT_NE(reload.exit_code, 0);
    // and not for limits or paths that a running agent cannot change
    EXPECT_NE(reload.out.find(bad.says), std::string::npos) << reload.out;
    if (reload.exit_code != 0) ++refused;
    if (refused % 20 == 0) {
      EXPECT_EQ(who_answers(lab.name("client"), kFrontend, Protocol::kTcp), 'C');
    }
    if (HasFailure()) break;
  }
  EXPECT_EQ(who_answers(lab.name("client"), kFrontend, Protocol::kTcp), 'C');
  streams.stop();
  EXPECT_EQ(streams.resets(), 0U);
  EXPECT_EQ(static_cast<std::size_t>(refused), bad_configs().size());
  RecordProperty("refused", refused);
}

}  // namespace
}  // namespace flare::test
