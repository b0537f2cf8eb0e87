// bpf_links of the connect() programs at cgroups: made, replaced in place, pinned, found again and
// removed.
#pragma once

#include <bpf/bpf.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace flare {

/// A hook of a cgroup, and our program there.
struct CgroupHook {
  bpf_attach_type type;
  std::string_view word;
};

/// In the order in which they are attached: ends are seen before there is a begin, and answers are
/// disguised before anything is directed. They are detached in the opposite order.
inline constexpr std::array kCgroupHooks{
    CgroupHook{BPF_CGROUP_INET_SOCK_RELEASE, "sock-release"},
    CgroupHook{BPF_CGROUP_SOCK_OPS, "sock-ops"},
    CgroupHook{BPF_CGROUP_UDP4_RECVMSG, "recvmsg4"},
    CgroupHook{BPF_CGROUP_UDP6_RECVMSG, "recvmsg6"},
    CgroupHook{BPF_CGROUP_INET4_GETPEERNAME, "getpeername4"},
    CgroupHook{BPF_CGROUP_INET6_GETPEERNAME, "getpeername6"},
    CgroupHook{BPF_CGROUP_UDP4_SENDMSG, "sendmsg4"},
    CgroupHook{BPF_CGROUP_UDP6_SENDMSG, "sendmsg6"},
    CgroupHook{BPF_CGROUP_INET4_CONNECT, "connect4"},
    CgroupHook{BPF_CGROUP_INET6_CONNECT, "connect6"},
};

/// The kernel's number of the cgroup at `path`; 0 where there is none.
std::uint64_t cgroup_id(const std::filesystem::path& path);

/// A cgroup that we are at, as its pins and the kernel tell.
struct CgroupState {
  std::filesystem::path path;
  bool exists = false;      ///< there is a cgroup at the path, and it is the one we are at
  std::uint32_t hooks = 0;  ///< of kCgroupHooks at which our programs run
};

/// The pins: `<links_dir>/<escaped path>/<hook>`.
class CgroupLinks {
 public:
  explicit CgroupLinks(std::filesystem::path links_dir) : dir_(std::move(links_dir)) {}

  /// The cgroups that have pins, by path.
  std::vector<std::filesystem::path> list() const;
  Result<CgroupState> state(const std::filesystem::path& cgroup) const;

  struct Placed {
    std::vector<UniqueFd> links;
    bool replaced = false;  ///< an earlier agent's links got the programs, each atomically
  };
  /// Has `programs`, in the order of kCgroupHooks, run at the cgroup: by replacing the programs of
  /// pinned links, or by new links where there are none or where their cgroup is gone. What was
  /// newly attached is taken off again where one fails.
  Result<Placed> place(const std::filesystem::path& cgroup,
                       const std::array<int, kCgroupHooks.size()>& programs) const;

  /// Pins those of `links`, in the order of kCgroupHooks, that are pinned no more; returns how
  /// many.
  Result<std::size_t> keep(const std::filesystem::path& cgroup,
                           std::span<const UniqueFd> links) const;

  /// Detaches and unpins; returns how many links there were.
  Result<std::uint32_t> remove(const std::filesystem::path& cgroup) const;

 private:
  std::filesystem::path folder_of(const std::filesystem::path& cgroup) const;

  std::filesystem::path dir_;
};

}  // namespace flare
