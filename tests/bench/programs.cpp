#include "programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "bench_tc.skel.h"
#include "bench_xdp.skel.h"
#include "kernel/map_handle.h"
#include "kernel/pin_dir.h"

namespace flare::bench {
namespace {

/// Shared maps have to be declared as large as they already are.
void take_sizes(bpf_object* object) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    const char* pin = bpf_map__pin_path(map);
    if (pin == nullptr) continue;
    const auto pinned = MapHandle::open(pin, Access::kRead);
    if (!pinned) throw std::runtime_error(pinned.error().message());
    if (bpf_map__set_max_entries(map, pinned->max_entries()) != 0)
      throw std::runtime_error(std::string("cannot size map ") + pin);
  }
}

/// Only the benchmark's own programs: the shipped ones are loaded already.
void leave_out_shipped(bpf_object* object) {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    const std::string name = bpf_program__name(program);
    bpf_program__set_autoload(program, name.starts_with("bench_"));
  }
}

template <typename Skeleton>
Skeleton* load(const Maps& maps) {
  const std::string pins = layout_dir(World::pin_dir()).string();
  LIBBPF_OPTS(bpf_object_open_opts, open, .pin_root_path = pins.c_str());
  Skeleton* skeleton = Skeleton::open(&open);
  if (skeleton == nullptr) throw std::runtime_error("cannot read the benchmark's BPF object");
  take_sizes(skeleton->obj);
  leave_out_shipped(skeleton->obj);
  skeleton->rodata->services_max = maps.services_max();
  skeleton->rodata->backends_max = maps.backends_max();
  const int failed = Skeleton::load(skeleton);
  if (failed != 0) {
    Skeleton::destroy(skeleton);
    throw std::runtime_error(std::string("the kernel refuses the benchmark's programs: ") +
                             std::strerror(-failed));
  }
  return skeleton;
}

}  // namespace

struct Programs::Skeletons {
  explicit Skeletons(const Maps& maps)
      : xdp(load<bench_xdp>(maps), bench_xdp::destroy),
        tc(load<bench_tc>(maps), bench_tc::destroy) {}

  std::unique_ptr<bench_xdp, decltype(&bench_xdp::destroy)> xdp;
  std::unique_ptr<bench_tc, decltype(&bench_tc::destroy)> tc;
};

Programs::Programs(World& world)
    : world_(world), skeletons_(std::make_unique<Skeletons>(world.maps())) {}
Programs::~Programs() = default;

void Programs::plan(flare_hook hook, const bench_plan& plan) {
  const auto write = [&plan](auto& memory) {
    memory.plan = plan;
    std::memset(memory.tally.verdicts, 0, sizeof memory.tally.verdicts);
  };
  if (hook == FLARE_HOOK_XDP)
    write(*skeletons_->xdp->bss);
  else
    write(*skeletons_->tc->bss);
}

bench_tally Programs::tally(flare_hook hook) const {
  return hook == FLARE_HOOK_XDP ? skeletons_->xdp->bss->tally : skeletons_->tc->bss->tally;
}

int Programs::fd_of(Program program, flare_hook hook) const {
  const auto pick = [program](const auto& progs) {
    if (program == Program::kFloor) return bpf_program__fd(progs.bench_floor);
    if (program == Program::kRestore) return bpf_program__fd(progs.bench_restore);
    return bpf_program__fd(progs.bench_core);
  };
  if (program == Program::kShipped) return world_.datapath().program_fd(hook);
  return hook == FLARE_HOOK_XDP ? pick(skeletons_->xdp->progs) : pick(skeletons_->tc->progs);
}

std::uint32_t Programs::run(Program program, flare_hook hook, const test::Bytes& frame,
                            std::uint32_t repeat, std::uint32_t* verdict) const {
  test::Bytes out(frame.size() + 256);
  xdp_md xdp{};
  xdp.data_end = static_cast<__u32>(frame.size());
  xdp.ingress_ifindex = world_.ifindex();
  __sk_buff skb{};
  skb.ifindex = world_.ifindex();
  // what leaves comes from a local socket: it has no interface that it came in on
  skb.ingress_ifindex = hook == FLARE_HOOK_TC_EGRESS ? 0 : world_.ifindex();

  LIBBPF_OPTS(bpf_test_run_opts, options);
  options.data_in = frame.data();
  options.data_size_in = static_cast<__u32>(frame.size());
  options.data_out = out.data();
  options.data_size_out = static_cast<__u32>(out.size());
  options.ctx_in = hook == FLARE_HOOK_XDP ? static_cast<void*>(&xdp) : &skb;
  options.ctx_size_in = hook == FLARE_HOOK_XDP ? sizeof xdp : sizeof skb;
  options.repeat = static_cast<int>(repeat);
  if (bpf_prog_test_run_opts(fd_of(program, hook), &options) != 0)
    throw std::runtime_error(std::string("BPF_PROG_TEST_RUN: ") + std::strerror(errno));
  *verdict = options.retval;
  return options.duration;
}

}  // namespace flare::bench
