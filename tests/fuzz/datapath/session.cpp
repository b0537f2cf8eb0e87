#include "datapath/session.h"

#include <linux/bpf.h>

#include <cstdio>
#include <cstdlib>

#include "shim/programs.h"

namespace flare::fuzz {
namespace {

/// libFuzzer takes these for coverage: an input that meets a reason at a hook and a placement first
/// is kept.
__attribute__((section("__libfuzzer_extra_counters")))
std::uint8_t met_ways[FLARE_PLACEMENTS_COUNT + 1][FLARE_HOOKS_COUNT][FLARE_REASONS_COUNT];

/// With FLARE_FUZZ_REASONS set, the end of the process says how often each hook counted each
/// reason.
class Tally {
 public:
  void add(flare_hook hook, unsigned reason) { ++met_[hook][reason]; }
  ~Tally() {
    if (std::getenv("FLARE_FUZZ_REASONS") == nullptr) return;
    for (unsigned reason = 0; reason < FLARE_REASONS_COUNT; ++reason)
      std::fprintf(stderr, "reason %-22s xdp %9lu tc-ingress %9lu companion %9lu egress %9lu\n",
                   word_of(reason), met_[0][reason], met_[1][reason], met_[2][reason],
                   met_[3][reason]);
  }

 private:
  unsigned long met_[FLARE_HOOKS_COUNT][FLARE_REASONS_COUNT] = {};
};

constexpr unsigned kNoReason = FLARE_REASONS_COUNT, kNoPlacement = FLARE_PLACEMENTS_COUNT;

}  // namespace

flare_flow* Session::flow_of(const flare_flow_key& key) {
  auto* flow = entry<flare_flow>(named().flows, key);
  return flow != nullptr ? flow : entry<flare_flow>(named().embryos, key);
}

std::optional<flare_flow> Session::find_flow(const flare_flow_key& key) {
  const flare_flow* flow = flow_of(key);
  return flow != nullptr ? std::optional(*flow) : std::nullopt;
}

Arrived Session::arrive(flare_hook hook, const Frame& frame, std::uint8_t how) {
  Arrived in;
  in.hook = hook;
  in.frame = frame;
  in.view = FrameView::of(frame, (how & kHowGso) != 0);
  in.how = how;
  in.entries = maps().entries_of_packets();
  const flare_flow_key& key = in.view.key;
  if (in.view.kind == FrameView::Kind::kLaterFragment) {
    in.known = named().fragments.find(&in.view.piece) != nullptr;
  } else if (in.view.kind != FrameView::Kind::kNone) {
    in.known = flow_of(key) != nullptr;
  }
  if (in.view.kind == FrameView::Kind::kTransport) {
    in.service = hook == FLARE_HOOK_TC_EGRESS ? world_.service_at(key.src, key.sport, key.proto)
                                              : world_.service_at(key.dst, key.dport, key.proto);
  }
  return in;
}

int Session::call(flare_hook hook, std::uint8_t how) {
  const PacketBuffer& packet = host().packet;
  if (hook == FLARE_HOOK_XDP) {
    xdp_md ctx{};
    ctx.data = packet.data();
    ctx.data_end = packet.data_end();
    ctx.ingress_ifindex = kMainDevice;
    return flare_xdp(&ctx);
  }
  __sk_buff skb{};
  skb.data = packet.data();
  skb.data_end = packet.data_end();
  skb.len = static_cast<__u32>(packet.size());
  skb.ifindex = kMainDevice;
  skb.ingress_ifindex = hook != FLARE_HOOK_TC_EGRESS || (how & kHowForeign) != 0 ? kMainDevice : 0;
  skb.vlan_present = (how & kHowTag) != 0;
  if ((how & kHowGso) != 0) {
    skb.gso_size = 512;
    skb.gso_segs = (skb.len + 511) / 512;
  }
  if (hook == FLARE_HOOK_TC_EGRESS) return flare_tc_egress(&skb);
  return hook == FLARE_HOOK_TC_COMPANION ? flare_tc_companion(&skb) : flare_tc_ingress(&skb);
}

Left Session::run_hook(flare_hook hook, const Frame& frame, std::uint8_t how, std::uint8_t split) {
  // GSO frames are of TCP, and their checksum is never complete
  if (FrameView::of(frame, true).proto != 6) how = static_cast<std::uint8_t>(how & ~kHowGso);
  const Arrived in = arrive(hook, frame, how);
  const std::uint32_t cpu = 0;
  auto* row = entry<flare_reason_counters>(named().reason_counters, cpu);
  std::memset(row, 0, sizeof *row);
  host().partial_checksum = hook != FLARE_HOOK_XDP && (how & (kHowPartial | kHowGso)) != 0;
  host().packet.put(frame, (how & kHowSplit) != 0 ? std::size_t{14} + split : frame.size());
  const std::uint64_t evicted = maps().evictions();

  Left out;
  out.verdict = call(hook, how);
  maps().end_of_run();
  out.frame = host().packet.take();
  out.view = FrameView::of(out.frame, (how & kHowGso) != 0);
  out.entries = maps().entries_of_packets();
  out.lossy = maps().evictions() != evicted || maps().failed();
  out.faulty = host().failed;
  for (unsigned each = 0; each < FLARE_HOOKS_COUNT; ++each)
    for (unsigned reason = 0; reason < FLARE_REASON_SLOTS; ++reason)
      if (row->packets[each][reason] != 0) {
        out.counted += static_cast<unsigned>(row->packets[each][reason]);
        const bool own = each == static_cast<unsigned>(hook) && reason < FLARE_REASONS_COUNT;
        out.reason = own ? reason : kNoReason;
      }
  try {
    judge(*this, in, out);
  } catch (const RuleBroken& rule) {
    std::fprintf(stderr, "%s", rule.what());
    std::abort();
  }
  if (look_) look_(hook, frame, how, out);
  static Tally tally;
  tally.add(hook, out.reason);
  const unsigned placement = in.service == nullptr ? kNoPlacement : in.service->placement;
  ++met_ways[placement][hook][out.reason];
  return out;
}

Left Session::run(const Frame& frame, std::uint8_t how, std::uint8_t split) {
  host().failed = false;
  if (look_) how = static_cast<std::uint8_t>(how & (kHowEgress | kHowForeign));
  if ((how & kHowEgress) != 0) return run_hook(FLARE_HOOK_TC_EGRESS, frame, how, split);
  if (!xdp_) return run_hook(FLARE_HOOK_TC_INGRESS, frame, how, split);
  how = static_cast<std::uint8_t>(how & ~(kHowPartial | kHowGso | kHowTag));
  Left out = run_hook(FLARE_HOOK_XDP, frame, how, split);
  if (out.verdict != XDP_PASS) return out;
  Left finished = run_hook(FLARE_HOOK_TC_COMPANION, out.frame, how, split);
  return fate_of(finished.reason) == FLARE_FATE_PASS ? out : finished;
}

}  // namespace flare::fuzz
