// The connect() programs (flare_sock.bpf.c): loaded beside the datapath, whose maps they use, and
// attached to cgroups. What is attached outlives the process.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "kernel/cgroup_links.h"
#include "kernel/maps.h"

namespace flare {

class ConnectHooks {
 public:
  /// Has the kernel verify the programs; attaches nothing. Needs the pinned maps of a loaded
  /// Datapath, CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON.
  static Result<ConnectHooks> load(const std::filesystem::path& pin_dir);

  ConnectHooks(ConnectHooks&&) noexcept;
  ConnectHooks& operator=(ConnectHooks&&) noexcept;
  ~ConnectHooks();

  /// Attaches to a cgroup, or replaces in place what an earlier agent attached there. True: it was
  /// replaced. Needs CAP_NET_ADMIN and CAP_BPF.
  Result<bool> attach(const std::filesystem::path& cgroup);

  /// Detaches from a cgroup. What its sockets have open ends unseen from then on, so all counts of
  /// open flows begin anew (Maps::forget_sock_flows). False where nothing was attached.
  Result<bool> detach(const std::filesystem::path& cgroup);

  /// As Datapath::keep_pinned(), of the links at cgroups.
  Result<std::size_t> keep_pinned() const;

  /// Whether our programs are at the cgroup that is at this path now.
  bool is_at(const std::filesystem::path& cgroup) const;

 private:
  struct State;  ///< what stays out of this header: the generated skeleton
  explicit ConnectHooks(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// The cgroups under `pin_dir` that have pins. Needs root.
Result<std::vector<CgroupState>> attached_cgroups(const std::filesystem::path& pin_dir);

/// Detaches from all cgroups under `pin_dir`, without loading. Returns how many links there were.
Result<std::uint32_t> detach_cgroups(const std::filesystem::path& pin_dir);

}  // namespace flare
