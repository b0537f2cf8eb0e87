// Who else sits at the sockets of a host. What devices have is asked in attach_test.cpp.
#include "kernel/hook_query.h"

#include <gmock/gmock.h>

#include "kernel_test.h"

namespace flare {
namespace {

TEST(SocketRewriters, AreNotLookedForWithoutCgroup2) {
  auto users = socket_rewriters("/proc");
  ASSERT_FALSE(users);
  EXPECT_THAT(users.error().message(), testing::HasSubstr("no cgroup v2 is mounted at /proc"));
}

TEST(SocketRewriters, AreLookedForAtTheRootOfCgroup2) {
  FLARE_NEEDS_ROOT();
  ASSERT_TRUE(mount_own_bpffs());  // and with it a mount namespace of our own
  const std::string root = testing::TempDir() + "flare-cgroup2";
  std::filesystem::create_directories(root);
  ASSERT_EQ(::mount("none", root.c_str(), "cgroup2", 0, nullptr), 0);
  auto users = socket_rewriters(root);
  EXPECT_EQ(::umount(root.c_str()), 0);
  std::filesystem::remove(root);
  EXPECT_OK(users);
}

}  // namespace
}  // namespace flare
