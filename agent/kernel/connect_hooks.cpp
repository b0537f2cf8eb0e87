#include "kernel/connect_hooks.h"

#include <bpf/libbpf.h>

#include <cerrno>
#include <numeric>
#include <vector>

#include "flare_sock.skel.h"
#include "kernel/pin_dir.h"
#include "kernel/privilege.h"
#include "kernel/shared_maps.h"

namespace flare {
namespace {

namespace fs = std::filesystem;

struct Destroy {
  void operator()(flare_sock* skeleton) const { flare_sock::destroy(skeleton); }
};

using Programs = std::array<int, kCgroupHooks.size()>;

/// In the order of kCgroupHooks.
Programs programs_of(const flare_sock& skeleton) {
  const auto& of = skeleton.progs;
  return {bpf_program__fd(of.flare_sock_release), bpf_program__fd(of.flare_sock_states),
          bpf_program__fd(of.flare_recvmsg4),     bpf_program__fd(of.flare_recvmsg6),
          bpf_program__fd(of.flare_getpeername4), bpf_program__fd(of.flare_getpeername6),
          bpf_program__fd(of.flare_sendmsg4),     bpf_program__fd(of.flare_sendmsg6),
          bpf_program__fd(of.flare_connect4),     bpf_program__fd(of.flare_connect6)};
}

/// A cgroup that we are at. The links are kept open: if somebody unmounts bpffs, a link that nobody
/// holds would detach.
struct At {
  std::uint64_t cgroup = 0;
  std::vector<UniqueFd> links;
};

}  // namespace

struct ConnectHooks::State {
  std::unique_ptr<flare_sock, Destroy> skeleton;
  Maps maps;
  CgroupLinks pins;
  std::map<fs::path, At> at;
};

ConnectHooks::ConnectHooks(std::unique_ptr<State> state) : state_(std::move(state)) {}
ConnectHooks::ConnectHooks(ConnectHooks&&) noexcept = default;
ConnectHooks& ConnectHooks::operator=(ConnectHooks&&) noexcept = default;
ConnectHooks::~ConnectHooks() = default;

Result<ConnectHooks> ConnectHooks::load(const fs::path& pin_dir) {
  auto maps = Maps::open(pin_dir, Access::kReadWrite);
  if (!maps) return maps.error();
  std::unique_ptr<flare_sock, Destroy> skeleton(flare_sock::open(nullptr));
  if (!skeleton) return Error::from_errno("cannot read the built-in BPF object", errno);
  auto adopted = adopt_maps(skeleton->obj, layout_dir(pin_dir));
  if (!adopted) return adopted.error();
  skeleton->rodata->services_max = maps->services_max();
  skeleton->rodata->backends_max = maps->backends_max();
  const int failed = flare_sock::load(skeleton.get());
  if (lacks_privilege(failed)) {
    return refused("cannot load flare_sock", EPERM, "CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON");
  }
  if (failed != 0) {
    return Error::from_errno(
        "this kernel does not take flare_sock, which needs Linux 6.1, its BTF and "
        "CONFIG_CGROUP_BPF",
        -failed);
  }
  return ConnectHooks(std::make_unique<State>(
      State{std::move(skeleton), *std::move(maps), CgroupLinks(links_dir(pin_dir)), {}}));
}

Result<bool> ConnectHooks::attach(const fs::path& cgroup) {
  const std::uint64_t id = cgroup_id(cgroup);
  auto placed = state_->pins.place(cgroup, programs_of(*state_->skeleton));
  if (!placed) return placed.error();
  state_->at[cgroup] = {id, std::move(placed->links)};
  return placed->replaced;
}

Result<bool> ConnectHooks::detach(const fs::path& cgroup) {
  state_->at.erase(cgroup);
  auto removed = state_->pins.remove(cgroup);
  if (!removed) return removed.error();
  if (*removed == 0) return false;
  std::vector<std::uint32_t> all(state_->maps.services_max());
  std::iota(all.begin(), all.end(), 0U);
  auto forgotten = state_->maps.forget_sock_flows(all);
  if (!forgotten) return forgotten.error();
  return true;
}

Result<std::size_t> ConnectHooks::keep_pinned() const {
  std::size_t made = 0;
  for (const auto& [cgroup, at] : state_->at) {
    auto kept = state_->pins.keep(cgroup, at.links);
    if (!kept) return kept.error();
    made += *kept;
  }
  return made;
}

bool ConnectHooks::is_at(const fs::path& cgroup) const {
  const auto found = state_->at.find(cgroup);
  return found != state_->at.end() && found->second.cgroup == cgroup_id(cgroup);
}

Result<std::vector<CgroupState>> attached_cgroups(const fs::path& pin_dir) {
  const CgroupLinks pins(links_dir(pin_dir));
  std::vector<CgroupState> states;
  for (const fs::path& cgroup : pins.list()) {
    auto state = pins.state(cgroup);
    if (!state) return state.error();
    states.push_back(*std::move(state));
  }
  return states;
}

Result<std::uint32_t> detach_cgroups(const fs::path& pin_dir) {
  const CgroupLinks pins(links_dir(pin_dir));
  std::uint32_t links = 0;
  for (const fs::path& cgroup : pins.list()) {
    auto removed = pins.remove(cgroup);
    if (!removed) return removed.error();
    links += *removed;
  }
  return links;
}

}  // namespace flare
