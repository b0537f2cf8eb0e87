#include "kernel/tc_filter.h"

#include <bpf/libbpf.h>

#include <cerrno>

#include "kernel/privilege.h"

namespace flare {
namespace {

// Fixed, so that the next agent replaces this one's filter and nobody else's.
constexpr __u32 kHandle = 0xf1a2e;
constexpr __u32 kPriority = 2;

bpf_tc_hook hook_of(std::uint32_t ifindex, HookPoint hook) {
  bpf_tc_hook at{};
  at.sz = sizeof(at);
  at.ifindex = static_cast<int>(ifindex);
  at.attach_point = hook == HookPoint::kTcIngress ? BPF_TC_INGRESS : BPF_TC_EGRESS;
  return at;
}

bpf_tc_opts filter_of(int program_fd, __u32 flags) {
  bpf_tc_opts filter{};
  filter.sz = sizeof(filter);
  filter.prog_fd = program_fd;
  filter.flags = flags;
  filter.handle = kHandle;
  filter.priority = kPriority;
  return filter;
}

std::string described(std::uint32_t ifindex, HookPoint hook) {
  return "the clsact " + std::string(to_text(hook)) + " filter of interface " +
         std::to_string(ifindex);
}

}  // namespace

std::optional<std::uint32_t> find_filter(std::uint32_t ifindex, HookPoint hook) {
  bpf_tc_hook at = hook_of(ifindex, hook);
  bpf_tc_opts filter = filter_of(0, 0);
  if (bpf_tc_query(&at, &filter) != 0) return std::nullopt;
  return filter.prog_id;
}

Result<bool> place_filter(std::uint32_t ifindex, HookPoint hook, int program_fd) {
  bpf_tc_hook at = hook_of(ifindex, hook);
  int made = bpf_tc_hook_create(&at);
  if (made != 0 && made != -EEXIST) {
    return refused("cannot add a clsact qdisc to interface " + std::to_string(ifindex), -made,
                   "CAP_NET_ADMIN, and sch_ingress in the kernel");
  }
  bool replaced = find_filter(ifindex, hook).has_value();
  bpf_tc_opts filter = filter_of(program_fd, replaced ? BPF_TC_F_REPLACE : 0);
  int failed = bpf_tc_attach(&at, &filter);
  if (failed != 0) {
    return refused("cannot attach " + described(ifindex, hook), -failed,
                   "CAP_NET_ADMIN and CAP_BPF");
  }
  return replaced;
}

Result<bool> remove_filter(std::uint32_t ifindex, HookPoint hook) {
  if (!find_filter(ifindex, hook)) return false;
  bpf_tc_hook at = hook_of(ifindex, hook);
  bpf_tc_opts filter = filter_of(0, 0);
  int failed = bpf_tc_detach(&at, &filter);
  if (failed != 0) {
    return refused("cannot remove " + described(ifindex, hook), -failed, "CAP_NET_ADMIN");
  }
  return true;
}

}  // namespace flare
