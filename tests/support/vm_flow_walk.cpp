#include "support/vm_flow_walk.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <stdexcept>
#include <string>

#include "vm_flow_walk.skel.h"

namespace flare::test {
namespace {

void run_program(const bpf_program* program) {
  LIBBPF_OPTS(bpf_test_run_opts, options);
  if (bpf_prog_test_run_opts(bpf_program__fd(program), &options) != 0 || options.retval != 0)
    throw std::runtime_error(std::string("cannot run ") + bpf_program__name(program));
}

}  // namespace

VmFlowWalk::VmFlowWalk(int map) : skeleton_(vm_flow_walk::open()) {
  if (skeleton_ != nullptr && bpf_map__reuse_fd(skeleton_->maps.vm_flows, map) == 0 &&
      vm_flow_walk::load(skeleton_) == 0)
    return;
  vm_flow_walk::destroy(skeleton_);
  throw std::runtime_error("cannot load the walk over vm_flows");
}

VmFlowWalk::~VmFlowWalk() { vm_flow_walk::destroy(skeleton_); }

std::uint64_t VmFlowWalk::digest() {
  run_program(skeleton_->progs.look_at_all);
  return skeleton_->bss->digest;
}

void VmFlowWalk::forget_all() { run_program(skeleton_->progs.forget_all); }

}  // namespace flare::test
