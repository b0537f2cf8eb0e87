#include "kernel/idle_reset.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/unique_fd.h"
#include "flare_reset.skel.h"
#include "kernel/latency.h"
#include "kernel/privilege.h"
#include "kernel/shared_maps.h"

namespace flare {
namespace {

constexpr std::uint64_t kIdleAtLeastNs = 200'000'000;
constexpr std::uint64_t kIdleFactor = 4;
constexpr double kNearlyAll = 0.999;

struct Destroy {
  void operator()(flare_reset* skeleton) const { flare_reset::destroy(skeleton); }
  void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};

/// Has the kernel make one walk: a read of the iterator to its end.
Result<void> walk(int link_fd) {
  const UniqueFd iterator(bpf_iter_create(link_fd));
  if (iterator.get() < 0) return refused("cannot walk the TCP sockets", errno, "CAP_BPF");
  std::array<char, 64> nothing{};
  for (;;) {
    const ssize_t got = ::read(iterator.get(), nothing.data(), nothing.size());
    if (got == 0) return {};
    if (got < 0 && errno != EAGAIN && errno != EINTR) {
      return Error::from_errno("cannot walk the TCP sockets", errno);
    }
  }
}

}  // namespace

std::uint64_t idle_bound_ns(const flare_histogram& requests) {
  const std::uint64_t nearly_all = latency_quantile_ns(requests, kNearlyAll).value_or(0);
  return std::max(kIdleAtLeastNs, nearly_all * kIdleFactor);
}

struct IdleReset::State {
  std::unique_ptr<flare_reset, Destroy> skeleton;
  std::unique_ptr<bpf_link, Destroy> link;
  IdleBounds bounds;
};

IdleReset::IdleReset(std::unique_ptr<State> state) : state_(std::move(state)) {}
IdleReset::IdleReset(IdleReset&&) noexcept = default;
IdleReset& IdleReset::operator=(IdleReset&&) noexcept = default;
IdleReset::~IdleReset() = default;

Result<IdleReset> IdleReset::load(const std::filesystem::path& pin_dir) {
  auto maps = Maps::open(pin_dir, Access::kRead);
  if (!maps) return maps.error();
  std::unique_ptr<flare_reset, Destroy> skeleton(flare_reset::open(nullptr));
  if (!skeleton) return Error::from_errno("cannot read the built-in BPF object", errno);
  auto adopted = adopt_maps(skeleton->obj, layout_dir(pin_dir));
  if (!adopted) return adopted.error();
  skeleton->rodata->services_max = maps->services_max();
  skeleton->rodata->backends_max = maps->backends_max();
  int failed = flare_reset::load(skeleton.get());
  if (lacks_privilege(failed))
    return refused("cannot load flare_reset", EPERM, "CAP_BPF and CAP_PERFMON");
  if (failed != 0) {
    return Error::from_errno("this kernel does not take flare_reset, which needs Linux 6.5 and BTF",
                             -failed);
  }
  std::unique_ptr<bpf_link, Destroy> link(
      bpf_program__attach_iter(skeleton->progs.flare_reset, nullptr));
  if (!link) return Error::from_errno("cannot make an iterator of flare_reset", errno);
  auto bounds = adopt_idle_bounds(skeleton->maps.idle_bounds);
  if (!bounds) return bounds.error();
  return IdleReset(
      std::make_unique<State>(State{std::move(skeleton), std::move(link), *std::move(bounds)}));
}

Result<void> IdleReset::set_bound(std::uint32_t service_id, std::uint64_t bound_ns) {
  return state_->bounds.update(service_id, bound_ns);
}

Result<ResetReport> IdleReset::run() {
  const auto begun = std::chrono::steady_clock::now();
  auto* totals = state_->skeleton->bss;
  totals->connections_seen = 0;
  totals->connections_reset = 0;
  auto walked = walk(bpf_link__fd(state_->link.get()));
  if (!walked) return walked.error();
  return ResetReport{totals->connections_seen, totals->connections_reset,
                     std::chrono::steady_clock::now() - begun};
}

}  // namespace flare
