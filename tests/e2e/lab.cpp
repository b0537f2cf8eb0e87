#include "e2e/lab.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>

#include "support/net_namespace.h"

namespace flare::test {
namespace {

std::runtime_error failure(const std::string& what) {
  return std::runtime_error(what + ": " + std::strerror(errno));
}

void enter(const std::string& name) {
  const UniqueFd there(::open(("/run/netns/" + name).c_str(), O_RDONLY | O_CLOEXEC));
  if (!there || ::setns(there.get(), CLONE_NEWNET) != 0) throw failure("cannot enter " + name);
}

/// Native XDP_TX on veth needs an XDP program at the peer.
void pass_by_xdp(const std::string& name, const char* device) {
  const NamespaceScope scope(name);
  const bpf_insn code[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = XDP_PASS},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
  };
  LIBBPF_OPTS(bpf_prog_load_opts, options, .prog_flags = BPF_F_XDP_HAS_FRAGS);  // any MTU
  const UniqueFd program(
      bpf_prog_load(BPF_PROG_TYPE_XDP, "pass", "GPL", code, std::size(code), &options));
  const auto ifindex = static_cast<int>(::if_nametoindex(device));
  if (!program || bpf_xdp_attach(ifindex, program.get(), XDP_FLAGS_DRV_MODE, nullptr) != 0)
    throw failure(std::string("cannot attach a pass program to ") + device);
}

bool is_change(std::uint64_t call) {
  switch (call) {
    case SYS_bpf:
    case SYS_mkdirat:
    case SYS_renameat:
    case SYS_unlinkat:
#ifdef SYS_rename
    case SYS_rename:
    case SYS_mkdir:
    case SYS_rmdir:
    case SYS_unlink:
#endif
      return true;
    default:
      return false;
  }
}

bool is_bpf(const __ptrace_syscall_info& call, bpf_cmd command) {
  return call.entry.nr == SYS_bpf && call.entry.args[0] == static_cast<std::uint64_t>(command);
}

bool waits(std::uint64_t call) {
#ifdef SYS_epoll_wait
  if (call == SYS_epoll_wait) return true;
#endif
  return call == SYS_epoll_pwait;
}

void let_trace() { ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr); }

/// Lets a child go on that called let_trace(), until `there` holds of a system call that it enters:
/// it stands there then. False where it ended before that.
bool run_until(pid_t child, const std::function<bool(const __ptrace_syscall_info&)>& there) {
  int status = 0;
  while (::waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
    const bool at_call = WSTOPSIG(status) == (SIGTRAP | 0x80);
    if (at_call) {
      __ptrace_syscall_info info{};
      ::ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof(info), &info);
      if (info.op == PTRACE_SYSCALL_INFO_ENTRY && there(info)) return true;
    } else {
      ::ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD);
    }
    const long resume_with = at_call || WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
    ::ptrace(PTRACE_SYSCALL, child, nullptr, resume_with);
  }
  return false;
}

void mount_bpffs_once() {
  static const bool mounted = (mount_private_bpffs(), true);
  (void)mounted;
}

}  // namespace

NamespaceScope::NamespaceScope(const std::string& name)
    : back_(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
  if (!back_) throw failure("cannot remember the network namespace");
  enter(name);
}

NamespaceScope::~NamespaceScope() {
  if (::setns(back_.get(), CLONE_NEWNET) != 0) std::abort();  // every later test would lie
}

Lab::Lab(Attach attach, Shape shape)
    : prefix_("fe" + std::to_string(::getpid()) + "-"),
      attach_(attach),
      shape_(shape),
      folder_(std::filesystem::temp_directory_path() /
              ("flare-e2e-" + std::to_string(::getpid()))) {
  mount_bpffs_once();
  std::filesystem::create_directories(folder_ / "state");
  run(lab_script("up"));
  for (const std::string& interface : interfaces())
    in(flare_host(), "sysctl -qw net.ipv4.conf." + interface + ".forwarding=1 net.ipv6.conf." +
                         interface + ".forwarding=1");
  if (attach_ == Attach::kTc) return;
  for (const std::string& host : hosts()) in(host, "ethtool -K eth0 tx off tso off gso off");
  if (shape_ != Shape::kTwoArms) {
    pass_by_xdp(name("router"), ("to-" + flare_host()).c_str());
    return;
  }
  for (const std::string& host : hosts()) pass_by_xdp(name(host), "eth0");
  for (const std::string& interface : interfaces())
    in("lb", "ethtool -K " + interface + " tx off tso off gso off");
}

std::string Lab::lab_script(const std::string& command) const {
  const char* shape = shape_ == Shape::kReceiver ? "receiver"
                      : shape_ == Shape::kOneArm ? "one-arm"
                                                 : "two-arms";
  return "FLARE_LAB_PREFIX=" + prefix_ + " FLARE_LAB_SHAPE=" + shape + " " FLARE_LAB_SCRIPT " " +
         command;
}

std::vector<std::string> Lab::hosts() const {
  if (shape_ == Shape::kReceiver) return {"client", "vm", "cloud"};
  std::vector<std::string> all = {"client", "client2", "cloud"};
  for (int vm = 1; vm <= 8; ++vm) all.push_back("vm" + std::to_string(vm));
  if (shape_ == Shape::kOneArm) all.emplace_back("lb");
  return all;
}

std::vector<std::string> Lab::interfaces() const {
  if (shape_ != Shape::kTwoArms) return {"eth0"};
  std::vector<std::string> all;
  for (const std::string& host : hosts()) all.push_back("to-" + host);
  return all;
}

Lab::~Lab() {
  if (agent_ > 0) stop_agent(SIGKILL);
  try {
    ctl("detach --yes");
    run(lab_script("down"));
    std::filesystem::remove_all(folder_);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cannot take the lab down: %s\n", error.what());
  }
}

std::string Lab::in(const std::string& host, const std::string& command) const {
  return run("nsenter --net=/run/netns/" + name(host) + " sh -c '" + command + "'");
}

void Lab::configure(const std::string& services, const std::string& more,
                    const std::string& interfaces) const {
  const std::filesystem::path fresh = folder_ / "flare.yaml.new";
  std::ofstream file(fresh);
  file << "interfaces:\n";
  for (const std::string& interface : this->interfaces())
    file << "  - name: " << interface << "\n    mode: " << (attach_ == Attach::kTc ? "tc" : "xdp")
         << "\n";
  file << interfaces << "services:\n"
       << services << "limits: {services: 32, backends: 512, flows: 20000, embryos: 8192}\n"
       << "agent:\n  control_socket: " << (folder_ / "flared.sock").string()
       << "\n  state_dir: " << (folder_ / "state").string() << "\n  pin_dir: " << pin_dir().string()
       << "\n"
       << more;
  file.close();
  ::chmod(fresh.c_str(), 0600);
  std::filesystem::rename(fresh, folder_ / "flare.yaml");
}

void Lab::spawn_agent(const std::function<void()>& in_child, std::vector<std::string> runner) {
  const std::string config = (folder_ / "flare.yaml").string();
  const std::string log = (folder_ / "flared.log").string();
  runner.insert(runner.end(), {flared_.string(), "--config", config});
  std::vector<char*> arguments;
  for (std::string& word : runner) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const pid_t child = ::fork();
  if (child < 0) throw failure("fork");
  if (child == 0) {
    const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(out, 1);
    ::dup2(out, 2);
    enter(name(flare_host()));
    if (in_child) in_child();
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
  }
  agent_ = child;
}

void Lab::kill_a_start(std::chrono::milliseconds after) {
  spawn_agent({}, {});
  std::this_thread::sleep_for(after);
  stop_agent(SIGKILL);
}

int Lab::kill_a_start_at(int call, Calls count) {
  spawn_agent(let_trace, {});
  int entered = 0;
  bool was_write = false;
  const bool stands = run_until(agent_, [&](const __ptrace_syscall_info& info) {
    if (is_change(info.entry.nr)) {
      const bool write = count == Calls::kRuns && is_bpf(info, BPF_MAP_UPDATE_ELEM);
      if (!write || !was_write) ++entered;
      was_write = write;
    }
    return (call > 0 && entered == call) || waits(info.entry.nr);
  });
  if (stands) stop_agent(SIGKILL);
  agent_ = -1;
  return entered;
}

void Lab::start_agent(const std::function<void()>& in_child, double patience) {
  spawn_agent(in_child, {});
  await_agent(patience);
}

void Lab::start_agent_by(std::vector<std::string> runner) {
  spawn_agent({}, std::move(runner));
  await_agent(kPatience);
}

void Lab::await_agent(double patience) {
  const bool ready = wait_for(
      [this] {
        if (::waitpid(agent_, nullptr, WNOHANG) == agent_) {
          agent_ = -1;
          return true;
        }
        return ctl("reload").exit_code == 0;
      },
      patience);
  if (agent_ < 0 || !ready) throw std::runtime_error("flared did not start:\n" + agent_log());
}

void Lab::stop_agent(int signal) {
  ::kill(agent_, signal);
  ::waitpid(agent_, nullptr, 0);
  agent_ = -1;
}

void Lab::signal_agent(int signal) const { ::kill(agent_, signal); }

std::string Lab::agent_log() const {
  std::ifstream file(folder_ / "flared.log");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

CommandResult Lab::ctl(const std::string& arguments, const std::string& runner) const {
  const std::string command = "nsenter --net=/run/netns/" + name(flare_host()) + " " + runner +
                              " " + FLARECTL + " --pin-dir " + pin_dir().string() + " --socket " +
                              (folder_ / "flared.sock").string() + " " + arguments + " 2>&1";
  CommandResult result;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) throw failure("popen");
  std::array<char, 4096> buffer;
  for (std::size_t got; (got = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
    result.out.append(buffer.data(), got);
  const int status = ::pclose(pipe);
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  return result;
}

std::string Lab::ctl_ok(const std::string& arguments) const {
  CommandResult result = ctl(arguments);
  if (result.exit_code != 0)
    throw std::runtime_error("flarectl " + arguments + " exits with " +
                             std::to_string(result.exit_code) + "\n" + result.out + agent_log());
  return result.out;
}

bool wait_for(const std::function<bool()>& done, double seconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (std::chrono::steady_clock::now() < end) {
    if (done()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return done();
}

}  // namespace flare::test
