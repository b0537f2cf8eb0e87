// What doctor finds in a namespace that was made wrong on purpose.
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "flarectl_test.h"

namespace flare::ctl {
namespace {

class DoctorTest : public FlarectlTest {
 protected:
  /// The health of a check, of one interface where it is named; "" where there is none.
  std::string health(const std::string& check, const std::string& interface = "") const {
    Json document = flarectl("-o json doctor").json();
    for (const Json& found : document["checks"]) {
      bool same = interface.empty() || found["interface"] == interface;
      if (found["check"] == check && same) return found["health"];
    }
    return "";
  }
  static bool sysctl(const std::string& name, const std::string& value) {
    return run("sysctl -qw " + name + "=" + value);
  }
};

TEST_F(DoctorTest, IsContentWithASoundDatapath) {
  Ran ran = flarectl("doctor");
  EXPECT_EQ(ran.code, kOk) << ran.out;
  EXPECT_EQ(health("hooks"), "ok");
  EXPECT_EQ(health("heartbeat"), "ok");
  EXPECT_EQ(health("nat-ports"), "ok");
  EXPECT_EQ(health("map-pressure"), "ok");
}

TEST_F(DoctorTest, FailsWhereTheHostUsesTheNatPorts) {
  ASSERT_TRUE(sysctl("net.ipv4.ip_local_port_range", "'20000 40000'"));
  EXPECT_EQ(health("nat-ports"), "fail");
  EXPECT_EQ(flarectl("doctor").code, kDegraded);
  ASSERT_TRUE(sysctl("net.ipv4.ip_local_reserved_ports", "20000-25000"));
  EXPECT_EQ(health("nat-ports"), "fail");
  ASSERT_TRUE(sysctl("net.ipv4.ip_local_reserved_ports", "20000-25000,25001-30000"));
  EXPECT_EQ(health("nat-ports"), "ok");
}

TEST_F(DoctorTest, WarnsOfLocalSocketsOnNatPorts) {
  EXPECT_EQ(health("bound-ports"), "");
  UniqueFd listening(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(12'345);
  ASSERT_EQ(::bind(listening.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(::listen(listening.get(), 1), 0);
  EXPECT_EQ(health("bound-ports"), "warn");
}

TEST_F(DoctorTest, WarnsOfForwardingOffOnlyUnderXdp) {
  ASSERT_TRUE(sysctl("net.ipv4.conf.fc1.forwarding", "0"));
  ASSERT_TRUE(sysctl("net.ipv4.conf.fc0.forwarding", "0"));
  EXPECT_EQ(health("forwarding", "fc1"), "warn");
  EXPECT_EQ(health("forwarding", "fc0"), "note");
  for (const char* family : {"ipv4", "ipv6"}) {
    ASSERT_TRUE(sysctl(std::string("net.") + family + ".conf.fc1.forwarding", "1"));
  }
  EXPECT_EQ(health("forwarding", "fc1"), "ok");
}

TEST_F(DoctorTest, NamesOtherProgramsOnTheHooks) {
  EXPECT_EQ(health("hook-users", "fc0"), "ok");
  const bpf_insn pass_on[] = {{BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, -1},
                              {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
  UniqueFd program(
      bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "cni_policy", "GPL", pass_on, 2, nullptr));
  ASSERT_TRUE(program);
  bpf_tc_hook hook{};
  hook.sz = sizeof(hook);
  hook.ifindex = static_cast<int>(::if_nametoindex("fc0"));
  hook.attach_point = BPF_TC_INGRESS;
  ASSERT_EQ(bpf_tc_hook_create(&hook), 0);
  bpf_tc_opts filter{};
  filter.sz = sizeof(filter);
  filter.prog_fd = program.get();
  ASSERT_EQ(bpf_tc_attach(&hook, &filter), 0);
  EXPECT_EQ(health("hook-users", "fc0"), "warn");
  constexpr auto kTcxIngress = static_cast<bpf_attach_type>(46);
  UniqueFd link(bpf_link_create(program.get(), hook.ifindex, kTcxIngress, nullptr));
  ASSERT_TRUE(link);
  std::string text = flarectl("doctor").out;
  EXPECT_NE(text.find("tc-ingress (tcx): 'cni_policy'"), std::string::npos) << text;
  EXPECT_NE(text.find("tc-ingress (clsact): 'cni_policy'"), std::string::npos) << text;
}

TEST_F(DoctorTest, SaysWhatItMayNotSeeInsteadOfCallingItGood) {
  pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct none[2]{};
    if (::syscall(SYS_capset, &header, none) != 0) ::_exit(1);
    if (health("socket-lb") != "note") ::_exit(2);
    if (health("hook-users", "fc0") != "note") ::_exit(3);
    if (health("capabilities") != "note") ::_exit(4);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0) << "the step that failed";
}

TEST_F(DoctorTest, FailsWithoutTheAgent) {
  maps().heartbeat.set(0, &flare_heartbeat::beat_ns, 0);
  EXPECT_EQ(health("heartbeat"), "fail");
}

TEST_F(DoctorTest, FailsWhereALinkIsGone) {
  ASSERT_TRUE(run("ip link del fc0"));
  EXPECT_EQ(health("hooks"), "fail");
}

TEST_F(DoctorTest, RefusesAnUnknownInterface) {
  EXPECT_EQ(flarectl("doctor --interface nosuch").code, kNotFound);
}

}  // namespace
}  // namespace flare::ctl
