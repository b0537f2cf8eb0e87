#include "kernel/hook_query.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/magic.h>
#include <linux/netlink.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/vfs.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <span>

#include "base/unique_fd.h"
#include "kernel/libbpf_options.h"
#include "kernel/privilege.h"

namespace flare {
namespace {

constexpr std::size_t kProgramsMax = 64;
constexpr auto kTcxIngress = static_cast<bpf_attach_type>(46);
constexpr auto kTcxEgress = static_cast<bpf_attach_type>(47);

/// The programs that a target (device or cgroup) has for an attach type; none where the kernel does
/// not know that type.
Result<std::vector<ProgramInfo>> query(int target, bpf_attach_type type) {
  std::array<__u32, kProgramsMax> ids{};
  struct bpf_prog_query_opts opts;
  reset_libbpf_options(opts);
  opts.prog_ids = ids.data();
  opts.prog_cnt = kProgramsMax;
  std::vector<ProgramInfo> programs;
  if (bpf_prog_query_opts(target, type, &opts) != 0) {
    if (errno == EINVAL) return programs;
    return refused("cannot ask which programs run there", errno, "CAP_NET_ADMIN");
  }
  for (std::uint32_t i = 0; i < opts.prog_cnt; ++i) programs.push_back(program_info_of_id(ids[i]));
  return programs;
}

/// The bytes of attribute `wanted` in a run of attributes; empty where it is not there.
std::span<const std::byte> attribute(std::span<const std::byte> bytes, int wanted) {
  while (bytes.size() >= sizeof(rtattr)) {
    rtattr header;
    std::memcpy(&header, bytes.data(), sizeof(header));
    if (header.rta_len < sizeof(rtattr) || header.rta_len > bytes.size()) break;
    if ((header.rta_type & NLA_TYPE_MASK) == wanted) {
      return bytes.subspan(sizeof(rtattr), header.rta_len - sizeof(rtattr));
    }
    std::size_t taken = RTA_ALIGN(header.rta_len);
    bytes = bytes.subspan(taken < bytes.size() ? taken : bytes.size());
  }
  return {};
}

/// The BPF program of one filter message, if it is a BPF filter that is installed.
void add_filter(std::span<const std::byte> body, HookPoint hook, std::vector<HookUser>& users) {
  if (body.size() < sizeof(tcmsg)) return;
  auto attributes = body.subspan(NLMSG_ALIGN(sizeof(tcmsg)));
  auto id = attribute(attribute(attributes, TCA_OPTIONS), TCA_BPF_ID);
  if (id.size() != sizeof(std::uint32_t)) return;
  std::uint32_t program_id = 0;
  std::memcpy(&program_id, id.data(), sizeof(program_id));
  users.push_back({hook, "clsact", program_info_of_id(program_id)});
}

Result<void> add_filters(std::uint32_t ifindex, HookPoint hook, std::vector<HookUser>& users) {
  struct {
    nlmsghdr header;
    tcmsg body;
  } request{};
  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = RTM_GETTFILTER;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.body.tcm_ifindex = static_cast<int>(ifindex);
  request.body.tcm_parent =
      TC_H_MAKE(TC_H_CLSACT, hook == HookPoint::kTcIngress ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS);
  UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!socket) return Error::from_errno("cannot open a netlink socket", errno);
  if (::send(socket.get(), &request, sizeof(request), 0) < 0) {
    return Error::from_errno("cannot ask for tc filters", errno);
  }
  std::vector<std::byte> buffer(64 * 1024);
  while (true) {
    ssize_t got = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
    if (got <= 0) return Error::from_errno("cannot read tc filters", errno);
    std::span<const std::byte> bytes(buffer.data(), static_cast<std::size_t>(got));
    while (bytes.size() >= sizeof(nlmsghdr)) {
      nlmsghdr header;
      std::memcpy(&header, bytes.data(), sizeof(header));
      bool finished = header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR;
      if (finished || header.nlmsg_len < sizeof(header) || header.nlmsg_len > bytes.size()) {
        return {};
      }
      add_filter(bytes.subspan(NLMSG_HDRLEN, header.nlmsg_len - NLMSG_HDRLEN), hook, users);
      std::size_t taken = NLMSG_ALIGN(header.nlmsg_len);
      bytes = bytes.subspan(taken < bytes.size() ? taken : bytes.size());
    }
  }
}

}  // namespace

Result<std::vector<HookUser>> hook_users(std::uint32_t ifindex, std::uint32_t xdp_program_id) {
  std::vector<HookUser> users;
  if (xdp_program_id != 0) {
    users.push_back({HookPoint::kXdp, "xdp", program_info_of_id(xdp_program_id)});
  }
  for (HookPoint hook : {HookPoint::kTcIngress, HookPoint::kTcEgress}) {
    bpf_attach_type type = hook == HookPoint::kTcIngress ? kTcxIngress : kTcxEgress;
    auto programs = query(static_cast<int>(ifindex), type);
    if (!programs) return programs.error();
    for (ProgramInfo& program : *programs) {
      users.push_back({hook, "tcx", std::move(program)});
    }
    auto added = add_filters(ifindex, hook, users);
    if (!added) return added.error();
  }
  return users;
}

Result<std::vector<CgroupUser>> socket_rewriters(const std::string& cgroup_root) {
  static constexpr std::array<std::pair<const char*, bpf_attach_type>, 6> kHooks{{
      {"connect4", BPF_CGROUP_INET4_CONNECT},
      {"connect6", BPF_CGROUP_INET6_CONNECT},
      {"sendmsg4", BPF_CGROUP_UDP4_SENDMSG},
      {"sendmsg6", BPF_CGROUP_UDP6_SENDMSG},
      {"recvmsg4", BPF_CGROUP_UDP4_RECVMSG},
      {"recvmsg6", BPF_CGROUP_UDP6_RECVMSG},
  }};
  std::vector<CgroupUser> users;
  UniqueFd root(::open(cgroup_root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return Error::from_errno("cannot open " + cgroup_root, errno);
  struct statfs where {};
  if (::fstatfs(root.get(), &where) != 0 || where.f_type != CGROUP2_SUPER_MAGIC) {
    return Error(
        "cannot ask for programs at the sockets of this host: no cgroup v2 is mounted at " +
        cgroup_root);
  }
  for (const auto& [name, type] : kHooks) {
    auto programs = query(root.get(), type);
    if (!programs) return programs.error();
    if (!programs->empty()) users.push_back({name, *std::move(programs)});
  }
  return users;
}

}  // namespace flare
