// What the running agent may do, and what others may do to it: users and groups that are really
// other.
#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "e2e/lab.h"
#include "e2e/peers.h"
#include "kernel/pin_dir.h"
#include "support/net_namespace.h"

namespace flare::test {
namespace {

namespace fs = std::filesystem;

constexpr gid_t kGroup = 64'999;
constexpr const char* kFrontend = "198.51.100.10:8080";
constexpr const char* kBackend = "203.0.113.10:9090";

/// While it lives, this process and its children find a group `flare`, whatever the host has.
class FlareGroup {
 public:
  explicit FlareGroup(const fs::path& file) {
    std::ifstream host("/etc/group");
    std::ofstream ours(file);
    for (std::string line; std::getline(host, line);)
      if (!line.starts_with("flare:")) ours << line << "\n";
    ours << "flare:x:" << kGroup << ":\n";
    ours.close();
    run("mount --bind " + file.string() + " /etc/group");
  }
  ~FlareGroup() { static_cast<void>(std::system("umount /etc/group")); }
  FlareGroup(const FlareGroup&) = delete;
  FlareGroup& operator=(const FlareGroup&) = delete;
};

class Privileges : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    lab_ = std::make_unique<Lab>(Attach::kTc);
    group_ = std::make_unique<FlareGroup>(lab().folder() / "group");
    configure("");
    lab().start_agent();
  }
  static void TearDownTestSuite() {
    group_.reset();
    lab_.reset();
  }
  static Lab& lab() { return *lab_; }
  static void configure(const std::string& interfaces) {
    lab().configure(std::string("  - name: web\n    frontend: \"") + kFrontend +
                        "\"\n    policy: formula\n    capacity_rps: 100000\n    serverless:\n"
                        "      - endpoint: \"" +
                        kBackend + "\"\n",
                    "", interfaces);
  }
  fs::path pins() const { return "/sys/fs/bpf/" + lab().name("flare"); }
  /// Runs flarectl as nobody that this host knows, in group flare or in none.
  CommandResult member(const std::string& arguments) const {
    return lab().ctl(arguments,
                     "setpriv --reuid=64998 --regid=64998 --groups=64999 --inh-caps=-all");
  }
  CommandResult stranger(const std::string& arguments) const {
    return lab().ctl(arguments,
                     "setpriv --reuid=64997 --regid=64997 --clear-groups --inh-caps=-all");
  }
  /// What the control socket answers a user who is in one group; else why it cannot be asked.
  static std::string ask_as(uid_t user, gid_t group, const std::string& question);
  /// A line of the agent's /proc/PID/status.
  std::string status_of_agent(const std::string& word) const {
    std::ifstream file("/proc/" + std::to_string(lab().agent_pid()) + "/status");
    for (std::string line; std::getline(file, line);)
      if (line.starts_with(word + ":")) return line.substr(line.find('\t') + 1);
    return "no such line";
  }

  static std::unique_ptr<Lab> lab_;
  static std::unique_ptr<FlareGroup> group_;
};

std::unique_ptr<Lab> Privileges::lab_;
std::unique_ptr<FlareGroup> Privileges::group_;

std::string two_capabilities() {
  std::array<char, 17> digits{};
  std::snprintf(digits.data(), digits.size(), "%016llx", 1ULL << CAP_BPF | 1ULL << CAP_NET_ADMIN);
  return digits.data();
}

std::string ask_socket(const std::string& path, const std::string& question) {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
    return std::strerror(errno);
  const std::string line = question + "\n";
  static_cast<void>(::send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL));
  std::array<char, 4096> answer{};
  const ssize_t size = ::recv(fd.get(), answer.data(), answer.size(), 0);
  return size < 0 ? std::strerror(errno) : std::string(answer.data(), static_cast<size_t>(size));
}

std::string Privileges::ask_as(uid_t user, gid_t group, const std::string& question) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return std::strerror(errno);
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgroups(1, &group) != 0 || ::setresgid(user, user, user) != 0 ||
        ::setresuid(user, user, user) != 0)
      ::_exit(1);
    const std::string answer = ask_socket((lab().folder() / "flared.sock").string(), question);
    static_cast<void>(::write(write_end.get(), answer.data(), answer.size()));
    ::_exit(0);
  }
  write_end = UniqueFd();
  std::array<char, 4096> answer{};
  const ssize_t size = ::read(read_end.get(), answer.data(), answer.size());
  ::waitpid(child, nullptr, 0);
  return std::string(answer.data(), size < 0 ? 0 : static_cast<std::size_t>(size));
}

TEST_F(Privileges, OfTheRunningAgentAreTwoCapabilities) {
  const std::string two = two_capabilities();
  for (const char* set : {"CapPrm", "CapEff", "CapBnd"})
    EXPECT_EQ(status_of_agent(set), two) << set;
  for (const char* set : {"CapInh", "CapAmb"})
    EXPECT_EQ(status_of_agent(set), std::string(16, '0')) << set;
  EXPECT_EQ(status_of_agent("NoNewPrivs"), "1");
  RecordProperty("capabilities", status_of_agent("CapEff"));

  // what it keeps is enough: a new configuration, a share, a second interface's link
  const EchoServer cloud(lab().name("cloud"), kBackend, Protocol::kTcp, 'C');
  lab().ctl_ok("share set web 1");
  EXPECT_EQ(who_answers(lab().name("client"), kFrontend, Protocol::kTcp), 'C');
  lab().ctl_ok("reload");
  lab().in("vm", "ip link add second0 type veth peer name second1 && ip link set second0 up");
  configure("  - name: second0\n    mode: tc\n");
  EXPECT_TRUE(wait_for([] { return lab().ctl("status").out.find("second0") != std::string::npos; }))
      << lab().agent_log();
  configure("");
  EXPECT_TRUE(wait_for([] { return lab().ctl("status").out.find("second0") == std::string::npos; }))
      << lab().agent_log();
}

/// The words behind `key=` in packaging/flared.service.
std::vector<std::string> of_unit(const std::string& key) {
  std::ifstream unit(FLARE_UNIT);
  std::vector<std::string> found;
  for (std::string line; std::getline(unit, line);) {
    if (!line.starts_with(key + "=")) continue;
    std::istringstream words(line.substr(key.size() + 1));
    for (std::string word; words >> word;) found.push_back(word);
  }
  return found;
}

/// Each of the unit's capabilities is needed: without it flared does not start, or what it made is
/// not the group's.
TEST_F(Privileges, OfTheUnitAreEnough) {
  const std::vector<std::string> capabilities = of_unit("CapabilityBoundingSet");
  EXPECT_EQ(capabilities,
            (std::vector<std::string>{"CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON", "CAP_CHOWN"}));
  std::string set = "--bounding-set=-all";
  for (std::string word : capabilities) {
    for (char& letter : word) letter = static_cast<char>(std::tolower(letter));
    set += ",+" + word.substr(std::string("cap_").size());
  }
  lab().stop_agent(SIGTERM);
  lab().ctl_ok("detach --yes");
  lab().start_agent_by({"setpriv", "--no-new-privs", "--inh-caps=-all", set});
  EXPECT_EQ(status_of_agent("CapEff"), two_capabilities());
  EXPECT_EQ(status_of_agent("CapPrm"), two_capabilities());
  struct stat info {};
  ASSERT_EQ(::stat((layout_dir(pins()) / "flows").c_str(), &info), 0);
  EXPECT_EQ(info.st_gid, kGroup);
  lab().ctl_ok("share set web 1");
  const EchoServer cloud(lab().name("cloud"), kBackend, Protocol::kTcp, 'C');
  EXPECT_EQ(who_answers(lab().name("client"), kFrontend, Protocol::kTcp), 'C');
  lab().stop_agent(SIGTERM);
  lab().start_agent();
  RecordProperty("capabilities", static_cast<int>(capabilities.size()));
}

TEST_F(Privileges, ToPinsAreRootsAndTheGroups) {
  struct stat top {};
  ASSERT_EQ(::stat(pins().c_str(), &top), 0);
  EXPECT_EQ(top.st_mode & 07777, 0750U);
  EXPECT_EQ(top.st_gid, kGroup);
  std::map<std::string, int> kinds;
  for (const auto& entry : fs::recursive_directory_iterator(pins())) {
    struct stat info {};
    ASSERT_EQ(::stat(entry.path().c_str(), &info), 0) << entry.path();
    const bool is_link = entry.path().parent_path().filename() == "links" && !entry.is_directory();
    const bool is_description = entry.path().filename() == "layout";  // agents alone read it
    const bool is_roots = is_link || is_description;
    const mode_t expected = entry.is_directory() ? 0750 : is_roots ? 0600 : 0640;
    EXPECT_EQ(info.st_mode & 07777, expected) << entry.path();
    EXPECT_EQ(info.st_uid, 0U) << entry.path();
    EXPECT_EQ(info.st_gid, is_roots ? 0U : kGroup) << entry.path();
    ++kinds[entry.is_directory() ? "directories"
            : is_link            ? "links"
            : is_description     ? "layouts"
                                 : "maps"];
  }
  EXPECT_EQ(kinds["directories"], 2) << "the layout's and its links'";
  EXPECT_EQ(kinds["links"], 2) << "tc ingress and egress";
  EXPECT_EQ(kinds["layouts"], 1);
  EXPECT_GE(kinds["maps"], 20);
  for (const auto& [kind, count] : kinds) RecordProperty(kind, count);

  EXPECT_EQ(member("service show web").exit_code, 0) << member("service show web").out;
  const CommandResult refused = stranger("service show web");
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_NE(refused.out.find("Permission denied"), std::string::npos) << refused.out;
  for (const char* who : {"--reuid=64998 --regid=64998 --groups=64999",
                          "--reuid=64997 --regid=64997 --clear-groups"}) {
    SCOPED_TRACE(who);
    EXPECT_THROW(
        run("setpriv " + std::string(who) + " rm " + (layout_dir(pins()) / "flows").string()),
        std::runtime_error);
    EXPECT_NE(lab().ctl("detach --yes", "setpriv " + std::string(who)).exit_code, 0);
  }
  EXPECT_TRUE(fs::exists(layout_dir(pins()) / "flows"));
  EXPECT_EQ(lab().ctl("service show web").exit_code, 0) << "nothing was taken away";
}

TEST_F(Privileges, OnTheControlSocketAreToLookForTheGroupAndToChangeForRoot) {
  struct stat info {};
  ASSERT_EQ(::stat((lab().folder() / "flared.sock").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0660U);
  EXPECT_EQ(info.st_gid, kGroup);

  EXPECT_NE(ask_as(64998, kGroup, R"({"command":"health"})").find(R"("ok":true)"),
            std::string::npos);
  EXPECT_NE(ask_as(64998, kGroup, R"({"command":"endpoints"})").find(R"("ok":true)"),
            std::string::npos);
  int refused = 0;
  for (const std::string& change :
       {std::string("share set web 1"), std::string("share auto web"), std::string("reload"),
        std::string("backend drain web ") + kBackend, std::string("workers set web --workers 4")}) {
    const CommandResult answer = member(change);
    EXPECT_NE(answer.exit_code, 0) << change;
    EXPECT_NE(answer.out.find("only root may change anything (uid 64998)"), std::string::npos)
        << change << ": " << answer.out;
    ++refused;
  }
  RecordProperty("refused", refused);
  EXPECT_EQ(ask_as(64997, 64997, R"({"command":"health"})"), "Permission denied");
  EXPECT_EQ(ask_as(64998, 0, R"({"command":"health"})"), "Permission denied")
      << "root's group is not root";
  lab().ctl_ok("share set web 1");
}

/// A member of the group with thousands of connections: half a question in each, no answer ever
/// read. Ends with 0 when it has made them all; holds the last ones until it is killed.
[[noreturn]] void crowd(const std::string& path, int connections, int done) {
  std::vector<UniqueFd> open;
  const std::string endless(3000, '{');
  const std::string unread = "{\"command\":\"health\"}\n";
  for (int i = 0; i < connections; ++i) {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
      ::_exit(1);
    for (int line = 0; i % 2 != 0 && line < 100; ++line)
      if (::send(fd.get(), unread.data(), unread.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) break;
    static_cast<void>(
        ::send(fd.get(), endless.data(), endless.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
    open.push_back(std::move(fd));
    if (open.size() > 500) open.erase(open.begin());
  }
  static_cast<void>(::write(done, "x", 1));
  for (;;) ::pause();
}

TEST_F(Privileges, DoNotLetAMemberKeepRootOut) {
  constexpr int kConnections = 10'000;
  const auto descriptors = [] {
    const fs::path folder = "/proc/" + std::to_string(lab().agent_pid()) + "/fd";
    return std::distance(fs::directory_iterator(folder), fs::directory_iterator());
  };
  const auto before = descriptors();
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
  const UniqueFd done(ends[0]);
  const UniqueFd say_done(ends[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgroups(1, &kGroup) != 0 || ::setresgid(64998, 64998, 64998) != 0 ||
        ::setresuid(64998, 64998, 64998) != 0)
      ::_exit(1);
    crowd((lab().folder() / "flared.sock").string(), kConnections, say_done.get());
  }
  int asked = 0;
  double longest = 0;
  auto most = before;
  char byte = 0;
  const auto ask = [&] {
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(lab().ctl("share set web 1").exit_code, 0);
    longest = std::max(
        longest, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    most = std::max(most, descriptors());
    ++asked;
  };
  EXPECT_TRUE(wait_for(
      [&] {
        ask();
        return ::read(done.get(), &byte, 1) == 1;
      },
      60));
  ask();
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_LE(most - before, 16) << "connections are bounded";
  EXPECT_LT(longest, 5);
  EXPECT_NE(lab().ctl("status").exit_code, 7) << "the heart beats";
  RecordProperty("connections", kConnections);
  RecordProperty("commands_of_root", asked);
  RecordProperty("longest_s", std::to_string(longest));
}

/// Inodes of all internet sockets of the agent's namespace.
std::set<std::string> internet_sockets(pid_t pid) {
  std::set<std::string> inodes;
  for (const char* table : {"tcp", "tcp6", "udp", "udp6", "udplite", "raw", "raw6", "packet"}) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/net/" + table);
    const std::string kind = table;
    const int column = kind == "packet" ? 8 : 9;
    std::string line;
    std::getline(file, line);
    while (std::getline(file, line)) {
      std::istringstream words(line);
      std::string word;
      for (int i = 0; i <= column && words >> word; ++i) {
      }
      inodes.insert("socket:[" + word + "]");
    }
  }
  return inodes;
}

TEST_F(Privileges, NobodyIsGivenAPort) {
  // one that is seen, so that the search is known to find
  const UniqueFd listening = silent_server(lab().name("vm"), "198.51.100.10:8081");
  struct stat info {};
  ASSERT_EQ(::fstat(listening.get(), &info), 0);
  const auto sockets = internet_sockets(lab().agent_pid());
  EXPECT_TRUE(sockets.contains("socket:[" + std::to_string(info.st_ino) + "]"));
  int descriptors = 0;
  const fs::path folder = "/proc/" + std::to_string(lab().agent_pid()) + "/fd";
  for (const auto& entry : fs::directory_iterator(folder)) {
    std::error_code closed;
    const std::string target = fs::read_symlink(entry.path(), closed).string();
    EXPECT_FALSE(sockets.contains(target)) << "flared has an internet socket: " << target;
    ++descriptors;
  }
  EXPECT_GT(descriptors, 10);
  RecordProperty("descriptors", descriptors);
  RecordProperty("internet_sockets", 0);
}

}  // namespace
}  // namespace flare::test
