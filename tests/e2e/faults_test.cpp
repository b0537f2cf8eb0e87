// What may befall flared on its host: file systems, descriptors, other agents, signals. Whatever
// happens to it, packets go on as decided.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "e2e/fork_bomb.h"
#include "e2e/held_streams.h"
#include "e2e/lab.h"
#include "e2e/peers.h"
#include "e2e/stream/packet_stream.h"
#include "flare/abi.h"
#include "kernel/maps.h"
#include "model/address.h"
#include "support/net_namespace.h"

namespace flare::test {
namespace {

using Seconds = std::chrono::duration<double>;
constexpr const char* kBpffs = "/sys/fs/bpf";

void mount_bpffs() { ASSERT_EQ(::mount("bpf", kBpffs, "bpf", 0, nullptr), 0); }

/// The test's own and whatever is below it; the mounts are this process's alone.
void unmount_bpffs() {
  struct statfs info {};
  while (::statfs(kBpffs, &info) == 0 && info.f_type == BPF_FS_MAGIC) {
    ASSERT_EQ(::umount2(kBpffs, MNT_DETACH), 0);
  }
}

class Faults : public testing::Test {
 protected:
  Faults()
      : lab(Attach::kTc),
        vm(lab.name("vm"), "198.51.100.10:8080", Protocol::kTcp, 'V'),
        cloud(lab.name("cloud"), "203.0.113.10:9090", Protocol::kTcp, 'C') {
    configure("  heartbeat_bound: 2s\n");
  }

  void configure(const std::string& agent) {
    const auto service = [](const char* name, const char* protocol) {
      return std::string("  - name: ") + name +
             "\n    frontend: 198.51.100.10:8080\n    protocol: " + protocol +
             "\n    policy: formula\n    capacity_rps: 100000\n"
             "    spend: {per_second: 5000, burst: 5000}\n"
             "    serverless: [{endpoint: \"203.0.113.10:9090\"}]\n";
    };
    lab.configure(service("web", "tcp") + service("dgram", "udp"), agent);
  }
  void start_spilling(const std::function<void()>& in_child = {}) {
    lab.start_agent(in_child);
    lab.ctl_ok("share set web 1");
    lab.ctl_ok("share set dgram 1");
    ASSERT_EQ(ask(), "CCC");
  }
  /// Who answers three new connections.
  std::string ask() const {
    std::string tags;
    for (int i = 0; i < 3; ++i)
      tags += who_answers(lab.name("client"), "198.51.100.10:8080", Protocol::kTcp);
    return tags;
  }
  /// Starts another flared to the end; its exit code.
  int other_flared(const std::filesystem::path& config) const {
    const int status = std::system(("timeout -s KILL 10 nsenter --net=/run/netns/" +
                                    lab.name("vm") + " " FLARED " --config " + config.string() +
                                    " 2>>" + (lab.folder() / "other.log").string())
                                       .c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  bool log_says(const char* words) const {
    return lab.agent_log().find(words) != std::string::npos;
  }
  /// Of the hooks that it is attached to.
  std::string programs() const {
    std::string ids;
    const auto status = nlohmann::json::parse(lab.ctl("-o json status").out);
    for (const auto& hook : status["interfaces"][0]["hooks"])
      ids += hook["program_id"].dump() + " ";
    return ids;
  }
  std::filesystem::path layout() const {
    return lab.pin_dir() / ("v" + std::to_string(FLARE_ABI_VERSION));
  }

  Lab lab;
  EchoServer vm;
  EchoServer cloud;
};

TEST_F(Faults, BpffsThatIsUnmountedLosesNoPacketAndIsPinnedAgain) {
  start_spilling();
  PacketStream stream(lab, "192.0.2.10", "198.51.100.10:8080", 64);
  stream.start(5'000);
  unmount_bpffs();
  EXPECT_TRUE(wait_for([this] { return log_says("not safe to restart"); }, 2)) << lab.agent_log();
  const auto mounted = std::chrono::steady_clock::now();
  mount_bpffs();
  const auto pinned = [this] {
    return std::filesystem::exists(layout() / "links") &&
           std::distance(std::filesystem::directory_iterator(layout() / "links"), {}) == 2;
  };
  EXPECT_TRUE(wait_for(pinned, 2)) << lab.agent_log();
  const Seconds took = std::chrono::steady_clock::now() - mounted;

  lab.stop_agent(SIGKILL);
  lab.start_agent();
  EXPECT_TRUE(log_says("adopted=true"));
  EXPECT_EQ(ask(), "CCC");
  expect_nothing_lost(stream.stop());
  RecordProperty("pinned_again_s", std::to_string(took.count()));
}

TEST_F(Faults, BpffsThatIsReadOnlyOrHoldsForeignPinsLeavesTheDatapathAlone) {
  start_spilling();
  lab.stop_agent(SIGTERM);
  ASSERT_EQ(::mount(nullptr, kBpffs, nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
  EXPECT_EQ(other_flared(lab.folder() / "flare.yaml"), 4);
  EXPECT_EQ(ask(), "CCC");
  ASSERT_EQ(::mount(nullptr, kBpffs, nullptr, MS_REMOUNT, nullptr), 0);

  std::filesystem::create_directory(layout() / "foreign");
  std::filesystem::create_directory(layout() / "links/77-xdp");
  std::filesystem::create_symlink("/nowhere", layout() / "links/99-tc-ingress");
  lab.start_agent();
  EXPECT_EQ(ask(), "CCC");
  EXPECT_TRUE(log_says("adopted=true"));
  for (const char* name : {"foreign", "links/77-xdp", "links/99-tc-ingress"})
    EXPECT_TRUE(std::filesystem::remove(layout() / name)) << name << " is not ours to remove";
}

TEST_F(Faults, SecondAgentsEndWithinASecondWhateverFoldersTheyHave) {
  start_spilling();
  std::ostringstream text;
  text << std::ifstream(lab.folder() / "flare.yaml").rdbuf();
  double slowest = 0;
  std::string config = text.str();
  const auto replace = [&config](const std::string& what, const std::string& by) {
    const std::size_t at = config.find(what);
    ASSERT_NE(at, std::string::npos);
    config.replace(at, what.size(), by);
  };
  std::filesystem::create_directories(lab.folder() / "state2");
  for (const char* other : {"", "state", "pins"}) {
    if (other == std::string("state")) replace("/state\n", "/state2\n");
    if (other == std::string("pins")) replace("flare\n", "flare2\n");
    const auto file = lab.folder() / "second.yaml";
    std::ofstream(file) << config;
    std::filesystem::permissions(file, std::filesystem::perms::owner_read);
    const auto begun = std::chrono::steady_clock::now();
    EXPECT_EQ(other_flared(file), 5) << other;
    const Seconds took = std::chrono::steady_clock::now() - begun;
    slowest = std::max(slowest, took.count());
    std::filesystem::remove(file);
  }
  EXPECT_LT(slowest, 1.0);
  EXPECT_FALSE(std::filesystem::exists(lab.pin_dir().string() + "2"));
  EXPECT_EQ(ask(), "CCC") << "the first goes on";
  lab.ctl_ok("share set web 0");
  EXPECT_EQ(ask(), "VVV");
  RecordProperty("refused_in_s", std::to_string(slowest));
}

/// Its state directory is 1 MB and full, its log a pipe that nobody reads, and its other streams
/// are closed.
TEST_F(Faults, AFullDiskAndABlockedLogHoldNothingUp) {
  const std::string state = (lab.folder() / "state").string();
  ASSERT_EQ(::mount("tmpfs", state.c_str(), "tmpfs", 0, "size=1m,mode=0700"), 0);
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe2(pipe.data(), O_NONBLOCK), 0);
  ::fcntl(pipe[1], F_SETPIPE_SZ, 16'384);
  start_spilling([&pipe] {
    ::fcntl(pipe[1], F_SETFL, 0);  // flared's own end would wait
    ::dup2(pipe[1], 2);
    ::close(0);
    ::close(1);
  });
  run("head -c 2000000 /dev/zero > " + state + "/filler 2>/dev/null; true");
  // Each of these is logged, and cannot be remembered.
  for (int i = 0; i < 50; ++i) {
    lab.ctl_ok("share set web 0");
    lab.ctl_ok("share set web 1");
  }
  EXPECT_EQ(ask(), "CCC");
  EXPECT_EQ(lab.ctl("status").exit_code, 0) << "it beats: " << lab.ctl("status").out;
  std::array<char, 65536> read{};
  const ssize_t kept = ::read(pipe[0], read.data(), read.size());
  ASSERT_GT(kept, 8192) << "the pipe was full";
  const std::string lines(read.data(), static_cast<std::size_t>(kept));
  EXPECT_NE(lines.find("cannot remember"), std::string::npos) << lines;
  lab.ctl_ok("share set web 0");
  const ssize_t more = ::read(pipe[0], read.data(), read.size());
  ASSERT_GT(more, 0);
  const std::string line(read.data(), static_cast<std::size_t>(more));
  EXPECT_NE(line.find("log lines were lost"), std::string::npos) << line;
  const std::size_t lost = line.find(" log lines were lost");
  RecordProperty("lines_lost", line.substr(line.rfind('\n', lost) + 1, lost));

  lab.stop_agent(SIGKILL);
  start_spilling();
  ASSERT_EQ(::umount2(state.c_str(), MNT_DETACH), 0);
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST_F(Faults, StoppedForLongerThanItsLeaseItIsNotWaitedFor) {
  start_spilling();
  HeldStreams streams(lab.name("client"), "198.51.100.10:8080", 100);
  ASSERT_EQ(streams.greeted_by('C'), 100U);
  lab.signal_agent(SIGSTOP);
  const auto stopped = std::chrono::steady_clock::now();
  EXPECT_TRUE(wait_for([this] { return ask() == "VVV"; }, 5)) << "no share holds any more";
  const Seconds fell_back = std::chrono::steady_clock::now() - stopped;
  EXPECT_GT(fell_back.count(), 1) << "the lease is 2 s";
  lab.signal_agent(SIGCONT);
  const auto woken = std::chrono::steady_clock::now();
  EXPECT_TRUE(wait_for([this] { return ask() == "CCC"; }, 5));
  const Seconds back = std::chrono::steady_clock::now() - woken;
  EXPECT_LT(back.count(), 2);
  streams.stop();
  EXPECT_EQ(streams.resets(), 0U);
  EXPECT_EQ(streams.corrupt(), 0U);
  RecordProperty("fell_back_s", std::to_string(fell_back.count()));
  RecordProperty("back_s", std::to_string(back.count()));
}

/// Thousands of signals a second that it handles, so that system calls end with EINTR, and 16
/// processes beside it that fork without end.
TEST_F(Faults, ASignalStormAndAForkBombNextDoorHoldNothingUp) {
  lab.start_agent(
      [] {
        ::setenv("LD_PRELOAD", FLARE_PRELOAD, 1);
        ::setenv("FLARE_HANDLES_SIGUSR1", "1", 1);
      },
      30);
  lab.ctl_ok("share set web 1");
  lab.ctl_ok("share set dgram 1");
  const auto maps = Maps::open(lab.pin_dir(), Access::kRead);
  ASSERT_TRUE(maps) << maps.error().message();
  PacketStream stream(lab, "192.0.2.10", "198.51.100.10:8080", 64);
  stream.start(2'000);
  std::uint64_t signals = 0;
  std::uint64_t beats = 0;
  double oldest = 0;
  std::array<int, 2> codes{-1, -1};
  std::thread commands;
  {
    const ForkBomb bomb(16);
    commands = std::thread([this, &codes] {
      codes[0] = lab.ctl("reload").exit_code;
      codes[1] = lab.ctl("share set web 0").exit_code;
    });
    const MonotonicClock clock;
    std::uint64_t last = 0;
    const std::uint64_t until = clock.now_ns() + 3'000'000'000;
    while (clock.now_ns() < until) {
      lab.signal_agent(SIGUSR1);
      ++signals;
      const std::uint64_t beat = maps->heartbeat.read(0).beat_ns;
      beats += beat != last ? 1 : 0;
      last = beat;
      oldest = std::max(oldest, static_cast<double>(clock.now_ns() - beat) / 1e9);
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  }
  commands.join();
  EXPECT_EQ(codes, (std::array<int, 2>{0, 0})) << lab.agent_log();
  EXPECT_GT(signals, 100U);
  EXPECT_GE(beats, 2U);
  EXPECT_LT(oldest, 2.0) << "the lease";
  EXPECT_EQ(ask(), "VVV") << "what it was told amid it";
  expect_nothing_lost(stream.stop());
  RecordProperty("signals", std::to_string(signals));
  RecordProperty("oldest_beat_s", std::to_string(oldest));
}

/// Killed as soon as it is ready, as its unit would start it.
TEST_F(Faults, ACrashLoopSlowsDownAndLosesNoPacket) {
  start_spilling();
  lab.stop_agent(SIGTERM);
  const auto starts = lab.folder() / "state/starts";
  EXPECT_FALSE(std::filesystem::exists(starts)) << "only with --back-off";
  PacketStream stream(lab, "192.0.2.10", "198.51.100.10:8080", 64);
  stream.start(5'000);
  const std::vector<std::string> backing_off{"/bin/sh", "-c", "exec \"$@\" --back-off", "sh"};
  for (int i = 0; i < 2; ++i) {
    lab.start_agent_by(backing_off);
    lab.stop_agent(SIGKILL);
  }
  EXPECT_FALSE(log_says("waiting seconds")) << "not after the first: " << lab.agent_log();
  const auto begun = std::chrono::steady_clock::now();
  lab.start_agent_by(backing_off);
  const Seconds took = std::chrono::steady_clock::now() - begun;
  EXPECT_TRUE(log_says("waiting seconds=1")) << lab.agent_log();
  EXPECT_GT(took.count(), 1);
  EXPECT_TRUE(std::filesystem::exists(starts));
  lab.stop_agent(SIGTERM);
  EXPECT_FALSE(std::filesystem::exists(starts)) << "it ended as it was told to";
  expect_nothing_lost(stream.stop());
}

TEST_F(Faults, WithTooFewDescriptorsItEndsAndTheOldDatapathStays) {
  start_spilling();
  lab.stop_agent(SIGKILL);
  const auto limit = [](rlim_t now, rlim_t most) {
    const rlimit few{now, most};
    ::setrlimit(RLIMIT_NOFILE, &few);
  };
  EXPECT_THROW(lab.start_agent([&limit] { limit(64, 64); }), std::runtime_error);
  EXPECT_TRUE(log_says("RLIMIT_NOFILE")) << lab.agent_log();
  EXPECT_EQ(ask(), "CCC");
  start_spilling([&limit] { limit(64, 1024); });
  EXPECT_EQ(lab.ctl("status").exit_code, 0) << lab.ctl("status").out;
}

/// Has the kernel refuse every program from here on, as a verifier that does not take it.
void refuse_programs() {
  constexpr unsigned kProgLoad = 5;  // BPF_PROG_LOAD
  std::array filter{
      sock_filter(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))),
      sock_filter(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_bpf, 0, 3)),
      sock_filter(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[0]))),
      sock_filter(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kProgLoad, 0, 1)),
      sock_filter(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL)),
      sock_filter(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)),
  };
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) ::_exit(126);
}

TEST_F(Faults, AVerifierThatRefusesLeavesTheOldProgramsRunning) {
  start_spilling();
  const std::string before = programs();
  lab.stop_agent(SIGKILL);
  EXPECT_THROW(lab.start_agent(refuse_programs), std::runtime_error);
  EXPECT_TRUE(log_says("verifier refuses")) << lab.agent_log();
  EXPECT_EQ(programs(), before);
  EXPECT_EQ(ask(), "CCC") << "until the lease is over";
  lab.start_agent();
  EXPECT_EQ(ask(), "CCC");
}

/// The verifier takes a program that drops every packet; the dry run does not.
TEST_F(Faults, AProgramThatMisbehavesIsRefusedBeforeItReplacesTheOld) {
  start_spilling();
  const std::string before = programs();
  const auto maps = Maps::open(lab.pin_dir(), Access::kRead);
  ASSERT_TRUE(maps) << maps.error().message();
  const auto spilled = [&maps] {
    return maps->reason_totals().packets[FLARE_HOOK_TC_INGRESS][FLARE_REASON_SPILL_KNOWN];
  };
  PacketStream stream(lab, "192.0.2.10", "198.51.100.10:8080", 64);
  stream.start(5'000);
  lab.stop_agent(SIGKILL);
  EXPECT_THROW(lab.start_agent([] {
    ::setenv("LD_PRELOAD", FLARE_PRELOAD, 1);
    ::setenv("FLARE_BAD_PROGRAM", "1", 1);
  }),
               std::runtime_error);
  EXPECT_TRUE(log_says("the dry run of the tc-ingress program failed")) << lab.agent_log();
  EXPECT_TRUE(log_says("it returned 2, not -1")) << lab.agent_log();
  EXPECT_EQ(programs(), before);
  const std::uint64_t then = spilled();
  EXPECT_TRUE(wait_for([&] { return spilled() > then; }, 2)) << "the old ones still count";
  lab.start_agent();
  EXPECT_NE(programs(), before);
  EXPECT_EQ(ask(), "CCC");
  expect_nothing_lost(stream.stop());
}

TEST_F(Faults, ARebootLeavesNothingButTheStateAndItIsTakenUp) {
  start_spilling();
  lab.stop_agent(SIGKILL);
  unmount_bpffs();
  mount_bpffs();
  EXPECT_TRUE(wait_for([this] { return ask() == "VVV"; }, 2)) << "nothing is attached";
  lab.start_agent();
  EXPECT_TRUE(log_says("adopted=false"));
  EXPECT_EQ(ask(), "CCC") << "the share set by hand holds from the first packet on";
  EXPECT_EQ(lab.ctl("status").exit_code, 0) << lab.ctl("status").out;
}

/// 500 services change their backend in one file, and flared is killed amid it.
class HalfAReload : public Faults {
 protected:
  static constexpr int kServices = 500;

  void write(int host) {
    std::string services;
    for (int i = 0; i < kServices; ++i)
      services += "  - {name: s" + std::to_string(i) +
                  ", frontend: \"198.51.100.10:" + std::to_string(1000 + i) +
                  "\", policy: observe, serverless: [{endpoint: \"" + backend(host, i) + "\"}]}\n";
    lab.configure(services);
    std::ostringstream text;
    text << std::ifstream(lab.folder() / "flare.yaml").rdbuf();
    std::string config = text.str();
    const std::string usual = "services: 32, backends: 512";
    config.replace(config.find(usual), usual.size(), "services: 1024, backends: 4096");
    // Over the same file: the one that a running flared watches changes at once, by a rename.
    std::ofstream(lab.folder() / "large.yaml") << config;
    ::chmod((lab.folder() / "large.yaml").c_str(), 0600);
    std::filesystem::rename(lab.folder() / "large.yaml", lab.folder() / "flare.yaml");
  }
  static std::string backend(int host, int service) {
    return "203.0.113." + std::to_string(host) + ":" + std::to_string(1000 + service);
  }
  /// How many services have exactly the backend on this host.
  int on(int host) const {
    const auto list = nlohmann::json::parse(lab.ctl_ok("-o json backend list"));
    std::map<std::string, std::set<std::string>> backends;
    for (const auto& one : list["backends"])
      backends[one["service"].get<std::string>()].insert(one["backend"].get<std::string>());
    int count = 0;
    for (int i = 0; i < kServices; ++i)
      count += backends["s" + std::to_string(i)] == std::set<std::string>{backend(host, i)} ? 1 : 0;
    return count;
  }
  /// How many backends are on this host, by the maps, whether or not an agent runs.
  std::ptrdiff_t changed_to(int host) const {
    const auto maps = Maps::open(lab.pin_dir(), Access::kRead);
    if (!maps) throw std::runtime_error(maps.error().message());
    const Address fresh = Endpoint::parse(backend(host, 0))->address;
    const auto entries = maps->backend_entries();
    return std::count_if(entries->begin(), entries->end(),
                         [&fresh](const auto& one) { return Address{one.backend.addr} == fresh; });
  }
  /// Whether it has ended; nobody has waited for it yet.
  bool agent_is_dead() const {
    siginfo_t end{};
    return ::waitid(P_PID, static_cast<id_t>(lab.agent_pid()), &end, WEXITED | WNOHANG | WNOWAIT) ==
               0 &&
           end.si_pid != 0;
  }
};

/// Killed at its 250th write: a service takes one at least.
TEST_F(HalfAReload, IsWholeAfterTheNextStart) {
  write(10);
  lab.start_agent([] {
    ::setenv("LD_PRELOAD", FLARE_PRELOAD, 1);
    ::setenv("FLARE_KILLED_AT_WRITE", "250", 1);
  });
  ASSERT_EQ(on(10), kServices);
  lab.signal_agent(SIGUSR1);
  write(11);
  ASSERT_TRUE(wait_for([this] { return agent_is_dead(); }));
  lab.stop_agent(SIGKILL);
  const auto half = changed_to(11);
  EXPECT_GT(half, 0);
  EXPECT_LT(half, kServices);
  lab.start_agent();
  EXPECT_EQ(on(11), kServices) << "as the file says";
  RecordProperty("services", std::to_string(kServices));
  RecordProperty("changed_when_killed", std::to_string(half));
}

}  // namespace
}  // namespace flare::test
