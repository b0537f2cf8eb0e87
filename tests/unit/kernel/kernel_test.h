// A network namespace and a pin directory for one test, gone when it ends; and maps made by hand.
#pragma once

#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>

#include "base/unique_fd.h"
#include "kernel/datapath.h"
#include "kernel/libbpf_options.h"

namespace flare {

/// Runs a command and says whether it succeeded.
inline bool run(const std::string& command) { return std::system(command.c_str()) == 0; }

/// Skips without root, and fails in CI, where root is promised.
inline bool lacks_root() { return ::geteuid() != 0; }
#define FLARE_NEEDS_ROOT()                                                   \
  if (lacks_root()) {                                                        \
    if (std::getenv("CI") != nullptr) FAIL() << "needs root, and CI has it"; \
    GTEST_SKIP() << "needs root: it makes BPF maps and network namespaces";  \
  }

/// Gives this process a BPF file system that nobody else sees, once; the host may have none
/// mounted.
inline bool mount_own_bpffs() {
  static const bool mounted = ::unshare(CLONE_NEWNS) == 0 &&
                              ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                              ::mount("bpf", "/sys/fs/bpf", "bpf", 0, nullptr) == 0;
  return mounted;
}

/// A map of the test's own.
inline UniqueFd make_map(bpf_map_type type, std::uint32_t key_size, std::uint32_t value_size,
                         std::uint32_t entries, std::uint32_t flags = 0) {
  struct bpf_map_create_opts opts;
  reset_libbpf_options(opts);
  opts.map_flags = flags;
  return UniqueFd(bpf_map_create(type, "flare_test", key_size, value_size, entries, &opts));
}

/// Gives up every capability of this process but these.
inline bool keep_capabilities(std::initializer_list<int> kept) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  for (const int capability : kept) {
    data[capability / 32].effective |= 1U << (capability % 32);
    data[capability / 32].permitted |= 1U << (capability % 32);
  }
  return ::syscall(SYS_capset, &header, data) == 0;
}

/// A fresh namespace with a veth pair (fc0, fc1), and a pin directory that is removed at the end.
class KernelTest : public testing::Test {
 protected:
  void SetUp() override {
    FLARE_NEEDS_ROOT();
    ASSERT_TRUE(mount_own_bpffs());
    ASSERT_EQ(::unshare(CLONE_NEWNET), 0);
    ASSERT_TRUE(
        run("ip link set lo up && ip link add fc0 type veth peer name fc1 && "
            "ip link set fc0 up && ip link set fc1 up"));
    pin_dir_ = "/sys/fs/bpf/flare-fc-test-" + std::to_string(::getpid());
    options_.pin_dir = pin_dir_;
    options_.limits = {.services = 4, .backends = 16, .flows = 512, .embryos = 128};
  }
  void TearDown() override {
    if (pin_dir_.empty()) return;
    auto detached = detach_all(pin_dir_);
    EXPECT_TRUE(detached) << detached.error().message();
    EXPECT_FALSE(std::filesystem::exists(pin_dir_));
  }

  std::filesystem::path pin_dir_;
  LoadOptions options_;
};

/// The value, or a failure with the error's words.
#define ASSERT_OK(result) ASSERT_TRUE(result) << (result).error().message()
#define EXPECT_OK(result) EXPECT_TRUE(result) << (result).error().message()

/// The same with the datapath loaded: its maps, and nothing attached.
class LoadedTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    auto datapath = Datapath::load(options_);
    ASSERT_OK(datapath);
    datapath_.emplace(*std::move(datapath));
  }
  void TearDown() override {
    datapath_.reset();
    KernelTest::TearDown();
  }
  const Maps& maps() const { return datapath_->maps(); }

  std::optional<Datapath> datapath_;
};

}  // namespace flare
