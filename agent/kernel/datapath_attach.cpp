// Attaching to one interface, or replacing in place what an earlier agent attached there.
//
// A change between tc and XDP is made without a gap: the new hook is attached before the old one
// goes. While both run, a packet that XDP translates leaves from there and never reaches tc, so it
// cannot be translated twice; only packets that pass are counted at both hooks for that moment.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/clock.h"
#include "kernel/attach_plan.h"
#include "kernel/datapath_state.h"
#include "kernel/device.h"
#include "kernel/layout_move.h"
#include "kernel/privilege.h"
#include "kernel/program_info.h"
#include "kernel/tc_filter.h"

namespace flare {
namespace {

/// A kernel before 6.6 does not know the attach type of tcx.
bool lacks_tcx(int errno_value) { return errno_value == EINVAL || errno_value == EOPNOTSUPP; }

/// Attaches to one device. Holds references only; lives for one call of attach().
class Attacher {
 public:
  Attacher(const Datapath& datapath, Datapath::State& state, const Device& device,
           const InterfaceConfig& wanted)
      : datapath_(datapath), state_(state), device_(device), wanted_(wanted) {}

  Result<Attachment> run();

 private:
  enum class Style : std::uint8_t { kTcx, kClsact };

  Result<AttachPlan> plan();
  Result<void> attach_xdp_mode(bool may_fall_back);
  Result<void> attach_tc_mode();
  Result<int> place_xdp();
  Result<void> place_tc(flare_hook ingress_program);
  Result<void> place_tc_hook(HookPoint hook, int program_fd);
  Result<void> remove_other_style();
  Result<void> record();
  bool tc_translates_now() const;
  std::string foreign_xdp_holder() const;

  LinkPins::Name pin(HookPoint hook) const { return {device_.ifindex, hook}; }
  Result<bool> remove_link(HookPoint hook) {
    state_.links.erase({device_.ifindex, hook});
    return state_.pins.remove(pin(hook));
  }

  const Datapath& datapath_;
  Datapath::State& state_;
  const Device& device_;
  const InterfaceConfig& wanted_;
  Style style_ = Style::kTcx;
  Attachment done_;
};

/// The program on the XDP hook in words, where it is there by somebody else's doing; else empty.
std::string Attacher::foreign_xdp_holder() const {
  if (device_.xdp_program_id == 0) return "";
  auto pinned = state_.pins.open(pin(HookPoint::kXdp));
  if (pinned && *pinned) {
    auto facts = link_facts((*pinned)->get());
    if (facts && facts->program_id == device_.xdp_program_id) return "";
  }
  return program_info_of_id(device_.xdp_program_id).text();
}

/// Whether the full tc program runs here: then tc must not be changed to the companion before XDP
/// is there to do the work.
bool Attacher::tc_translates_now() const {
  auto entry = state_.maps.interfaces.lookup(device_.ifindex);
  if (!entry || entry->mode != FLARE_ATTACH_TC) return false;
  if (entry->tcx == 0) return find_filter(device_.ifindex, HookPoint::kTcIngress).has_value();
  auto pinned = state_.pins.open(pin(HookPoint::kTcIngress));
  return pinned && pinned->has_value();
}

/// Attaches natively. Returns 0, or the errno of a refusal.
Result<int> Attacher::place_xdp() {
  auto placed = state_.pins.place(pin(HookPoint::kXdp), datapath_.program_fd(FLARE_HOOK_XDP));
  if (!placed) return placed.error();
  if (placed->refused != 0) return placed->refused;
  done_.replaced = done_.replaced || placed->replaced;
  state_.links[{device_.ifindex, HookPoint::kXdp}] = std::move(placed->fd);
  return 0;
}

Result<void> Attacher::place_tc_hook(HookPoint hook, int program_fd) {
  if (style_ == Style::kTcx) {
    auto placed = state_.pins.place(pin(hook), program_fd);
    if (!placed) return placed.error();
    if (placed->refused == 0) {
      done_.replaced = done_.replaced || placed->replaced;
      state_.links[{device_.ifindex, hook}] = std::move(placed->fd);
      return {};
    }
    bool may_use_clsact = wanted_.tc == InterfaceConfig::Tc::kAuto && lacks_tcx(placed->refused);
    if (!may_use_clsact) {
      return refused("cannot attach to the " + std::string(to_text(hook)) + " hook of " +
                         device_.name + " by tcx",
                     placed->refused, "CAP_NET_ADMIN and CAP_BPF, and kernel 6.6 or later");
    }
    style_ = Style::kClsact;
  }
  auto replaced = place_filter(device_.ifindex, hook, program_fd);
  if (!replaced) return replaced.error().within(device_.name);
  done_.replaced = done_.replaced || *replaced;
  return {};
}

/// Egress first: replies are counted before the first packet is decided.
Result<void> Attacher::place_tc(flare_hook ingress_program) {
  auto egress = place_tc_hook(HookPoint::kTcEgress, datapath_.program_fd(FLARE_HOOK_TC_EGRESS));
  if (!egress) return egress;
  return place_tc_hook(HookPoint::kTcIngress, datapath_.program_fd(ingress_program));
}

/// Removes what an agent that was configured for the other of tcx and clsact has left.
Result<void> Attacher::remove_other_style() {
  for (HookPoint hook : {HookPoint::kTcIngress, HookPoint::kTcEgress}) {
    auto removed = style_ == Style::kTcx ? remove_filter(device_.ifindex, hook) : remove_link(hook);
    if (!removed) return removed.error();
  }
  return {};
}

Result<void> Attacher::attach_tc_mode() {
  auto placed = place_tc(FLARE_HOOK_TC_INGRESS);
  if (!placed) return placed;
  auto removed = remove_link(HookPoint::kXdp);
  if (!removed) return removed.error();
  done_.mode = FLARE_ATTACH_TC;
  return {};
}

/// XDP with its companion; falls back to tc where that is allowed and the driver refuses.
Result<void> Attacher::attach_xdp_mode(bool may_fall_back) {
  bool keep_tc_until_xdp_runs = tc_translates_now();
  if (!keep_tc_until_xdp_runs) {
    auto placed = place_tc(FLARE_HOOK_TC_COMPANION);
    if (!placed) return placed;
  }
  auto refusal = place_xdp();
  if (!refusal) return refusal.error();
  if (*refusal == 0) {
    done_.mode = FLARE_ATTACH_XDP;
    return keep_tc_until_xdp_runs ? place_tc(FLARE_HOOK_TC_COMPANION) : Result<void>();
  }
  std::string why = xdp_refusal(device_, *refusal, foreign_xdp_holder());
  bool lacks_rights = *refusal == EPERM || *refusal == EACCES;
  if (may_fall_back && !lacks_rights) {
    done_.why = why;
    return attach_tc_mode();
  }
  bool tc_is_new = !keep_tc_until_xdp_runs && !done_.replaced;
  if (tc_is_new) {
    for (HookPoint hook : {HookPoint::kTcIngress, HookPoint::kTcEgress}) {
      auto undone =
          style_ == Style::kTcx ? remove_link(hook) : remove_filter(device_.ifindex, hook);
      if (!undone) return undone.error();
    }
  }
  if (lacks_rights) {
    return refused("cannot attach XDP to " + device_.name, *refusal, "CAP_NET_ADMIN and CAP_BPF");
  }
  return Error("cannot attach XDP to " + device_.name + ": " + why +
               "; mode 'auto' or 'tc' would run in tc");
}

Result<void> Attacher::record() {
  flare_interface entry{};
  device_.name.copy(entry.name, sizeof(entry.name) - 1);
  done_.why.copy(entry.why, sizeof(entry.why) - 1);
  auto before = state_.maps.interfaces.lookup(device_.ifindex);
  bool as_before = before && done_.replaced && before->mode == done_.mode;
  entry.attached_ns = as_before ? before->attached_ns : MonotonicClock().now_ns();
  entry.requested = static_cast<__u8>(wanted_.mode);
  entry.mode = static_cast<__u8>(done_.mode);
  entry.tcx = done_.tcx ? 1 : 0;
  return state_.maps.interfaces.update(device_.ifindex, entry);
}

Result<Attachment> Attacher::run() {
  auto plan = plan_attach(device_, wanted_.mode, foreign_xdp_holder());
  if (!plan) return plan.error();
  if (wanted_.tc == InterfaceConfig::Tc::kClsact) style_ = Style::kClsact;
  done_.ifindex = device_.ifindex;
  done_.interface = device_.name;
  done_.why = plan->why;
  auto attached =
      plan->mode == FLARE_ATTACH_XDP ? attach_xdp_mode(plan->may_fall_back) : attach_tc_mode();
  if (!attached) return attached.error();
  auto cleaned = remove_other_style();
  if (!cleaned) return cleaned.error();
  done_.tcx = style_ == Style::kTcx;
  auto recorded = record();
  if (!recorded) return recorded.error();
  return done_;
}

/// What the older layout's datapath wrote is ours from here on, and its links may be taken.
Result<void> take_over(Datapath::State& state, const btf& types) {
  if (!state.older) return {};
  const Written which = state.is_whole ? Written::kSince : Written::kByDatapath;
  auto copied = copy_layout(*state.older, state.pin_dir, types, which);
  if (!copied) return copied.error();
  state.is_whole = true;
  return complete_layout(state.pin_dir);
}

}  // namespace

Result<Attachment> Datapath::attach(const InterfaceConfig& interface) {
  auto device = find_device(interface.name);
  if (!device) return device.error();
  if (!*device) {
    return Error("there is no interface '" + interface.name +
                 "' in this network namespace (ip link lists them)");
  }
  const btf& types = *bpf_object__btf(state_->tc->obj);
  auto taken = take_over(*state_, types);
  if (!taken) return taken.error();
  auto attachment = Attacher(*this, *state_, **device, interface).run();
  if (!attachment) return attachment;
  if (!state_->older) return attachment;
  // What cannot be cleared now is cleared by the next attach or start.
  auto left = leave_layout(*state_->older, state_->pin_dir, types);
  if (left && *left) state_->older.reset();
  return attachment;
}

}  // namespace flare
