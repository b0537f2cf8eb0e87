// Loading where something is missing: a capability, memory.
#include <fcntl.h>
#include <sys/wait.h>

#include <array>
#include <fstream>
#include <functional>
#include <sstream>

#include "kernel_test.h"

namespace flare {
namespace {

/// What a child process said before it ended, and how it ended.
struct Told {
  std::string text;
  bool exited = false;  ///< by itself, with 0
};

/// Runs `work` in a child process, as what it gives up or enters cannot be taken back.
Told in_child(const std::function<std::string()>& work) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return {"no pipe"};
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string text = work();
    ::_exit(::write(write_end.get(), text.data(), text.size()) < 0 ? 1 : 0);
  }
  write_end = UniqueFd();
  Told told;
  std::array<char, 4096> buffer{};
  for (ssize_t got = 0; (got = ::read(read_end.get(), buffer.data(), buffer.size())) > 0;)
    told.text.append(buffer.data(), static_cast<std::size_t>(got));
  int status = 0;
  ::waitpid(child, &status, 0);
  told.exited = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  return told;
}

class LoadTest : public KernelTest {
 protected:
  /// "loaded", or the error; the child goes on to attach what it loaded.
  std::string load_and_attach() const {
    auto datapath = Datapath::load(options_);
    if (!datapath) return datapath.error().message();
    auto attached = datapath->attach({.name = "fc0"});
    if (!attached) return attached.error().message();
    return "loaded";
  }
  std::string with_capabilities(std::initializer_list<int> kept) const {
    const Told told = in_child([&] {
      return keep_capabilities(kept) ? load_and_attach() : "the capabilities cannot be given up";
    });
    EXPECT_TRUE(told.exited) << told.text;
    return told.text;
  }
};

TEST_F(LoadTest, NeedsThreeCapabilitiesAndNoFourth) {
  EXPECT_EQ(with_capabilities({CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON}), "loaded");
  RecordProperty("capabilities", "CAP_BPF CAP_NET_ADMIN CAP_PERFMON");
}

TEST_F(LoadTest, NamesWhatItNeedsWhereOneOfThemIsMissing) {
  int refused = 0;
  for (const auto kept : {std::initializer_list<int>{CAP_BPF, CAP_NET_ADMIN},
                          std::initializer_list<int>{CAP_BPF, CAP_PERFMON},
                          std::initializer_list<int>{CAP_NET_ADMIN, CAP_PERFMON}}) {
    const std::string text = with_capabilities(kept);
    EXPECT_NE(text.find("CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"), std::string::npos) << text;
    EXPECT_TRUE(pinned_names(layout_dir(pin_dir_)).empty()) << "a half load is left";
    ++refused;
  }
  RecordProperty("refused", refused);
}

/// A memory cgroup of either version; processes of it may use `bytes`.
class MemoryGroup {
 public:
  explicit MemoryGroup(std::uint64_t bytes) {
    std::ifstream mounts("/proc/self/mounts");
    for (std::string line; std::getline(mounts, line);) {
      std::istringstream words(line);
      std::string device, where, type, options;
      words >> device >> where >> type >> options;
      const bool v1 = type == "cgroup" && ("," + options + ",").find(",memory,") != line.npos;
      if (!v1 && !(type == "cgroup2" && has_memory(where))) continue;
      folder_ = std::filesystem::path(where) / ("flare-load-test-" + std::to_string(::getpid()));
      if (!v1) std::ofstream(std::filesystem::path(where) / "cgroup.subtree_control") << "+memory";
      std::filesystem::create_directory(folder_);
      std::ofstream limit(folder_ / (v1 ? "memory.limit_in_bytes" : "memory.max"));
      limit << bytes;
      limit.close();
      usable_ = limit.good();
      return;
    }
  }
  ~MemoryGroup() {
    std::error_code ignored;
    if (!folder_.empty()) std::filesystem::remove(folder_, ignored);
  }
  MemoryGroup(const MemoryGroup&) = delete;
  MemoryGroup& operator=(const MemoryGroup&) = delete;

  bool usable() const { return usable_; }
  /// Moves this process into it.
  bool enter() const {
    std::ofstream procs(folder_ / "cgroup.procs");
    procs << ::getpid();
    procs.close();
    return procs.good();
  }

 private:
  static bool has_memory(const std::string& root) {
    std::ifstream file(root + "/cgroup.controllers");
    for (std::string word; file >> word;)
      if (word == "memory") return true;
    return false;
  }
  std::filesystem::path folder_;
  bool usable_ = false;
};

TEST_F(LoadTest, WithoutTheMemoryForItsMapsNamesTheLargestAndLeavesNothing) {
  constexpr std::uint64_t kLimit = 48U << 20U;
  const MemoryGroup group(kLimit);
  ASSERT_TRUE(group.usable()) << "this machine has no memory cgroup";
  options_.limits.flows = 1'000'000;
  const Told told =
      in_child([&] { return group.enter() ? load_and_attach() : "cannot enter the cgroup"; });
  EXPECT_TRUE(told.exited) << "killed";
  EXPECT_NE(told.text.find("'flows' of 2000000 entries"), std::string::npos) << told.text;
  EXPECT_NE(told.text.find("limits.flows"), std::string::npos) << told.text;
  EXPECT_TRUE(pinned_names(layout_dir(pin_dir_)).empty());
  RecordProperty("limit_bytes", std::to_string(kLimit));

  options_.limits.flows = 512;
  EXPECT_EQ(in_child([&] { return load_and_attach(); }).text, "loaded") << "and then it can";
}

}  // namespace
}  // namespace flare
