// Who else runs on a device's hooks: for `flarectl doctor`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "kernel/links.h"
#include "kernel/program_info.h"

namespace flare {

/// A program on a hook of a device.
struct HookUser {
  HookPoint hook = HookPoint::kXdp;
  std::string via;  ///< "xdp", "tcx" or "clsact"
  ProgramInfo program;
};

/// The programs on all three hooks, in the order in which they run. Needs CAP_NET_ADMIN.
Result<std::vector<HookUser>> hook_users(std::uint32_t ifindex, std::uint32_t xdp_program_id);

/// How many programs each kind of socket-level load balancing has at the root cgroup: "connect4",
/// "sendmsg4", ... Such a program rewrites a service's address before there is a packet.
struct CgroupUser {
  std::string hook;
  std::vector<ProgramInfo> programs;
};
/// Fails where `cgroup_root` is not the root of a cgroup v2 hierarchy.
Result<std::vector<CgroupUser>> socket_rewriters(const std::string& cgroup_root = "/sys/fs/cgroup");

}  // namespace flare
