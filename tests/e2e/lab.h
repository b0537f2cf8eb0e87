// The lab of scripts/lab.sh under a name of the test's own, with flared on its VM.
//
//   client 192.0.2.10 ── router ── vm 198.51.100.10 (flared on eth0)
//   2001:db8:1::10         └───── cloud 203.0.113.10, 2001:db8:3::10    2001:db8:2::10
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace flare::test {

/// While it lives, this thread is in another network namespace; sockets made then stay there.
class NamespaceScope {
 public:
  explicit NamespaceScope(const std::string& name);
  ~NamespaceScope();
  NamespaceScope(const NamespaceScope&) = delete;
  NamespaceScope& operator=(const NamespaceScope&) = delete;

 private:
  UniqueFd back_;
};

/// What a command printed and how it ended.
struct CommandResult {
  int exit_code = -1;
  std::string out;
};

enum class Attach { kTc, kXdp };

/// How system calls are counted.
enum class Calls {
  kEach,
  kRuns,  ///< writes of entries of maps that follow one another are one
};

/// The shapes of scripts/lab.sh, which draws them.
enum class Shape {
  kReceiver,  ///< flared runs on `vm`
  kOneArm,    ///< flared runs on `lb`, a host beside two clients, eight VMs and a cloud
  kTwoArms,   ///< as that, and `lb` is the router between them
};

class Lab {
 public:
  /// Builds the namespaces. With kXdp the veth peers get the XDP program that native XDP_TX on veth
  /// needs, and senders finish their checksums, as the wire of a NIC would show them.
  explicit Lab(Attach attach, Shape shape = Shape::kReceiver);
  ~Lab();
  Lab(const Lab&) = delete;
  Lab& operator=(const Lab&) = delete;

  /// Seconds until flared answers; where others use the machine, the verifier alone takes many.
  static constexpr double kPatience = 60;

  std::string name(const std::string& host) const { return prefix_ + host; }
  /// Runs a shell command in a host's namespace; throws where it fails.
  std::string in(const std::string& host, const std::string& command) const;

  /// Writes the configuration; does not tell a running agent.
  /// `interfaces`: lines of that list beside the lab's own.
  void configure(const std::string& services, const std::string& more = "",
                 const std::string& interfaces = "") const;
  /// Starts another flared than this build's from now on; flarectl stays.
  void use(const std::filesystem::path& flared) { flared_ = flared; }
  /// Starts flared on its host and waits until it serves its control socket. `in_child` is called
  /// in the new process just before it becomes flared; `patience`: seconds.
  void start_agent(const std::function<void()>& in_child = {}, double patience = kPatience);
  /// The same by a command of those words, as that of setpriv, which is given flared's own.
  void start_agent_by(std::vector<std::string> runner);
  /// Starts flared and kills it again, wherever it has got to by then.
  void kill_a_start(std::chrono::milliseconds after);
  /// Starts flared and kills it as it enters the `call`th system call, from 1 on, that changes
  /// maps, programs or pins; with 0, or where there are fewer, once it waits for events. Returns
  /// how many it entered.
  int kill_a_start_at(int call, Calls count = Calls::kEach);
  /// Ends it by `signal` and waits.
  void stop_agent(int signal);
  bool agent_runs() const { return agent_ > 0; }
  void signal_agent(int signal) const;
  pid_t agent_pid() const { return agent_; }
  std::string agent_log() const;

  /// Runs flarectl on the VM, with the lab's pin directory and socket; `runner` goes in front.
  CommandResult ctl(const std::string& arguments, const std::string& runner = "") const;
  /// As ctl(); throws unless it exits with 0.
  std::string ctl_ok(const std::string& arguments) const;

  const std::filesystem::path& folder() const { return folder_; }
  std::filesystem::path pin_dir() const { return "/sys/fs/bpf/" + prefix_ + "flare"; }

 private:
  /// The host that flared runs on, and its interfaces.
  std::string flare_host() const { return shape_ == Shape::kReceiver ? "vm" : "lb"; }
  std::vector<std::string> interfaces() const;
  /// Every host but the router.
  std::vector<std::string> hosts() const;
  std::string lab_script(const std::string& command) const;
  void spawn_agent(const std::function<void()>& in_child, std::vector<std::string> runner);
  void await_agent(double patience);

  std::string prefix_;
  Attach attach_;
  Shape shape_;
  std::filesystem::path folder_;
  std::filesystem::path flared_ = FLARED;
  pid_t agent_ = -1;
};

/// What suites of the receiver placement are run for, and how a case is named.
struct LabCase {
  bool v4;
  Attach attach;
};
inline std::string lab_case_name(const testing::TestParamInfo<LabCase>& info) {
  return std::string(info.param.v4 ? "V4" : "V6") +
         (info.param.attach == Attach::kTc ? "Tc" : "Xdp");
}
inline constexpr std::array kLabCases{LabCase{true, Attach::kTc}, LabCase{true, Attach::kXdp},
                                      LabCase{false, Attach::kTc}, LabCase{false, Attach::kXdp}};

/// Waits until `done` holds; false after `seconds`.
bool wait_for(const std::function<bool()>& done, double seconds = 10);

}  // namespace flare::test
