#include "kernel/flow_sweep.h"

#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>

#include "select.bpf.h"

namespace flare {
namespace {

// The datapath inserts the two entries of a flow one after the other, and moves them so: an entry
// younger than this may miss its twin for no fault of its own.
constexpr std::uint64_t kOrphanAgeNs = 2'000'000'000;

/// A TCP flow whose client never went on behind its SYN, or whose backend never answered: no
/// request came of it.
bool never_opened(const flare_flow& forward, const flare_flow* reverse) {
  if (forward.peer.proto != PROTO_TCP || forward.tier != FLARE_TIER_SERVERLESS) return false;
  if (forward.flags & FLARE_FLOW_COUNTED) return false;
  return forward.packets <= 1 || (reverse != nullptr && !(reverse->flags & FLARE_FLOW_REPLIED));
}

bool same_key(const flare_flow_key& a, const flare_flow_key& b) {
  return std::memcmp(&a, &b, sizeof(a)) == 0;
}

bool unchanged(const flare_flow& before, const flare_flow& now) {
  return before.seen_ns == now.seen_ns && before.packets == now.packets &&
         before.flags == now.flags && before.created_ns == now.created_ns &&
         same_key(before.peer, now.peer);
}

std::uint64_t later(std::uint64_t start_ns, std::uint64_t by_ns) {
  std::uint64_t sum = start_ns + by_ns;
  return sum < start_ns ? UINT64_MAX : sum;
}

/// No flow of this protocol can be over that was used less than this long ago.
std::uint64_t shortest_life_ns(const flare_settings& settings, __u8 proto) {
  if (proto == PROTO_UDP) return std::min(settings.udp_unreplied_ns, settings.udp_replied_ns);
  return std::min({settings.tcp_handshake_ns, settings.tcp_established_ns, settings.tcp_closing_ns,
                   settings.tcp_reset_ns});
}

FlowAge::State state_of(const flare_flow& forward, __u32 reverse_flags) {
  if (forward.peer.proto == PROTO_UDP) {
    return reverse_flags & FLARE_FLOW_REPLIED ? FlowAge::State::kReplied
                                              : FlowAge::State::kUnreplied;
  }
  if ((forward.flags | reverse_flags) & FLARE_FLOW_RST) return FlowAge::State::kReset;
  if (forward.flags & reverse_flags & FLARE_FLOW_FIN) return FlowAge::State::kClosing;
  return forward.flags & FLARE_FLOW_COUNTED ? FlowAge::State::kEstablished
                                            : FlowAge::State::kHandshake;
}

}  // namespace

FlowAge flow_age(const flare_flow& forward, const flare_flow* reverse,
                 const flare_settings& settings) {
  __u32 reverse_flags = reverse != nullptr ? reverse->flags : 0;
  FlowAge age;
  age.state = state_of(forward, reverse_flags);
  age.used_ns = forward.seen_ns;
  if (reverse != nullptr) age.used_ns = std::max<std::uint64_t>(age.used_ns, reverse->seen_ns);
  age.expires_ns =
      later(age.used_ns, flow_life_ns(&settings, forward.peer.proto, forward.flags, reverse_flags));
  return age;
}

std::string_view flow_state_word(FlowAge::State state) {
  static constexpr std::array kWords{"handshake", "established", "closing",
                                     "reset",     "unreplied",   "replied"};
  return kWords[static_cast<std::size_t>(state)];
}

FlowSweep::FlowSweep(const Maps& maps) : maps_(maps), tallies_(maps.services_max()) {}

void FlowSweep::start_pass() {
  for (std::uint32_t id = 0; id < tallies_.size(); ++id) {
    flare_service_counters totals = maps_.service_totals(id);
    tallies_[id] = {0, 0, totals.handshakes, totals.tier[FLARE_TIER_SERVERLESS].flows_closed};
  }
  pass_begun_ = true;
}

Result<SweepReport> FlowSweep::step(std::uint64_t now_ns, std::uint32_t budget) {
  SweepReport report;
  auto settings = maps_.settings.lookup(0);
  if (!settings) return Error("map 'settings' has no entry");
  if (!pass_begun_) start_pass();
  const FlowMap& map = in_embryos_ ? maps_.embryos : maps_.flows;
  auto entries = map.next(cursor_, std::max(budget, 1U));
  if (!entries) return entries.error();
  for (const FlowMap::Entry& entry : *entries) {
    auto looked = look_at(entry, now_ns, *settings, report);
    if (!looked) return looked.error();
  }
  if (!cursor_.at_start()) return report;
  if (in_embryos_) {
    correct_active(report);
    report.pass_done = true;
    pass_begun_ = false;
  }
  in_embryos_ = !in_embryos_;
  return report;
}

/// A flow may be moved from `embryos` to `flows` between two looks; it is never in neither.
std::optional<flare_flow> FlowSweep::find(const flare_flow_key& key) const {
  if (auto flow = maps_.flows.lookup(key)) return flow;
  if (auto flow = maps_.embryos.lookup(key)) return flow;
  return maps_.flows.lookup(key);
}

Result<void> FlowSweep::look_at(const FlowMap::Entry& entry, std::uint64_t now_ns,
                                const flare_settings& settings, SweepReport& report) {
  ++report.seen;
  if (entry.value.dir == FLARE_DIR_FORWARD) {
    return look_at_forward(entry, now_ns, settings, report);
  }
  bool young = later(entry.value.created_ns, kOrphanAgeNs) > now_ns;
  bool busy = later(entry.value.seen_ns, shortest_life_ns(settings, entry.key.proto)) > now_ns;
  if (young || busy) return {};
  if (find(entry.value.peer)) return {};
  return remove_orphan(entry, report);
}

Result<void> FlowSweep::look_at_forward(const FlowMap::Entry& entry, std::uint64_t now_ns,
                                        const flare_settings& settings, SweepReport& report) {
  const flare_flow& forward = entry.value;
  bool counts = !in_embryos_ && forward.tier == FLARE_TIER_SERVERLESS &&
                (forward.flags & FLARE_FLOW_COUNTED) && !(forward.flags & FLARE_FLOW_CLOSED) &&
                forward.service_id < tallies_.size();
  bool busy = later(forward.seen_ns, shortest_life_ns(settings, entry.key.proto)) > now_ns;
  std::optional<flare_flow> reverse;
  if (!busy) reverse = find(forward.peer);
  bool over = false;
  if (!busy && !reverse) {
    over = later(forward.created_ns, kOrphanAgeNs) <= now_ns;
    if (over) return remove_orphan(entry, report);
  } else if (!busy) {
    over = flow_age(forward, &*reverse, settings).expires_ns < now_ns;
    if (over) return remove_flow(entry, *reverse, report);
  }
  if (counts) ++tallies_[forward.service_id].open;
  return {};
}

/// Takes an entry out as it was seen, or nothing: between the look and this its client may have
/// dialled again from the same port, and the entry is another flow's. That one is put back at once;
/// a packet in between is sent on as one whose record was lost.
Result<std::optional<flare_flow>> FlowSweep::take_unchanged(const FlowMap& map,
                                                            const flare_flow_key& key,
                                                            const flare_flow& seen,
                                                            SweepReport& report) {
  auto taken = map.take(key);
  if (!taken || !*taken || unchanged(seen, **taken)) return taken;
  ++report.spared;
  // "must not exist": the datapath may have recorded the flow anew by now.
  auto back = map.update(key, **taken, MapUpdate::kNoExist);
  if (!back && map.lookup(key) == std::nullopt) return back.error();
  return std::optional<flare_flow>();
}

Result<void> FlowSweep::remove_orphan(const FlowMap::Entry& entry, SweepReport& report) {
  const FlowMap& map = in_embryos_ ? maps_.embryos : maps_.flows;
  auto now = map.lookup(entry.key);
  if (!now) return {};
  if (!unchanged(entry.value, *now) || find(now->peer)) {
    ++report.spared;
    return {};
  }
  auto taken = take_unchanged(map, entry.key, *now, report);
  if (!taken) return taken.error();
  if (!*taken) return {};
  ++report.orphans;
  if ((*taken)->dir != FLARE_DIR_FORWARD) return {};
  if (never_opened(**taken, nullptr)) give_back(**taken, report);
  count_end(**taken, report);
  return {};
}

/// The forward entry goes first: from then on the flow is unknown, and the port is given up last.
Result<void> FlowSweep::remove_flow(const FlowMap::Entry& forward, const flare_flow& reverse,
                                    SweepReport& report) {
  const FlowMap& map = in_embryos_ ? maps_.embryos : maps_.flows;
  auto forward_now = map.lookup(forward.key);
  auto reverse_now = find(forward.value.peer);
  if (!forward_now || !reverse_now || !unchanged(forward.value, *forward_now) ||
      !unchanged(reverse, *reverse_now)) {
    ++report.spared;
    return {};
  }
  auto taken = take_unchanged(map, forward.key, forward.value, report);
  if (!taken) return taken.error();
  if (!*taken) return {};
  for (const FlowMap* place : {&maps_.flows, &maps_.embryos}) {
    auto held = place->lookup(forward.value.peer);
    bool still_of_this_flow = held && held->created_ns == reverse.created_ns;
    if (!still_of_this_flow) continue;
    auto erased = take_unchanged(*place, forward.value.peer, *held, report);
    if (!erased) return erased.error();
  }
  ++report.expired;
  if (never_opened(**taken, &reverse)) give_back(**taken, report);
  count_end(**taken, report);
  return {};
}

/// The hourly budget has its place again, if the hour in which the flow took it is not over.
void FlowSweep::give_back(const flare_flow& forward, SweepReport& report) {
  if (forward.service_id >= tallies_.size()) return;
  const std::uint64_t hour = forward.created_ns / NSEC_PER_HOUR;
  maps_.admission.visit(forward.service_id, [&](flare_admission& admission) {
    std::atomic_ref word(admission.hour);
    auto seen = word.load(std::memory_order_relaxed);
    do {
      if (seen >> HOUR_COUNT_BITS != hour || (seen & HOUR_COUNT_MASK) == 0) return;
    } while (!word.compare_exchange_weak(seen, seen - 1, std::memory_order_relaxed));
    ++report.given_back;
  });
}

/// Counts an end that no packet has shown, in the row of the CPU that we run on: there the addition
/// is one instruction that no BPF program interrupts, so the row still has one writer at a time.
void FlowSweep::count_end(const flare_flow& forward, SweepReport& report) {
  if (forward.flags & FLARE_FLOW_CLOSED) return;
  if (forward.service_id >= tallies_.size()) return;
  ++report.closed;
  const bool spilled = forward.tier == FLARE_TIER_SERVERLESS;
  if (spilled) ++tallies_[forward.service_id].closed_here;
  int running_on = ::sched_getcpu();
  std::uint32_t cpu = running_on < 0 ? 0 : static_cast<std::uint32_t>(running_on);
  if (cpu < maps_.cpus()) {
    maps_.service_counters.bump(
        cpu * maps_.services_max() + forward.service_id,
        [&forward](flare_service_counters & row) -> auto& {
          return row.tier[forward.tier & 1].flows_closed;
        });
    if (forward.backend_id < maps_.backends_max()) {
      maps_.backend_counters.bump(
          cpu * maps_.backends_max() + forward.backend_id,
          [](flare_backend_counters & row) -> auto& { return row.traffic.flows_closed; });
    }
  }
  if (!(forward.flags & FLARE_FLOW_COUNTED)) return;
  if (spilled) maps_.admission.sub_to_zero(forward.service_id, &flare_admission::active, 1);
  const auto backend = maps_.backends.lookup(forward.backend_id);
  if (backend && backend->generation == forward.backend_generation) {
    maps_.backend_loads.sub_to_zero(forward.backend_id, &flare_backend_load::active, 1);
  }
}

/// The walk saw `open` flows at different moments. Since it began, `added` flows came and `ended`
/// went, so the truth lies between open - ended and open + added; `active` is moved into that.
void FlowSweep::correct_active(SweepReport& report) {
  for (std::uint32_t id = 0; id < tallies_.size(); ++id) {
    const Tally& tally = tallies_[id];
    std::uint64_t active = maps_.admission.get(id, &flare_admission::active);
    flare_service_counters totals = maps_.service_totals(id);
    std::uint64_t added = totals.handshakes - tally.handshakes_at_start;
    std::uint64_t ended = totals.tier[FLARE_TIER_SERVERLESS].flows_closed - tally.closed_at_start;
    ended = ended > tally.closed_here ? ended - tally.closed_here : 0;
    std::uint64_t least = tally.open > ended ? tally.open - ended : 0;
    std::uint64_t most = tally.open + added;
    std::uint64_t truth = std::clamp(active, least, most);
    if (truth == active) continue;
    maps_.admission.add(id, &flare_admission::active, truth - active);
    report.corrections.push_back({id, static_cast<std::int64_t>(truth - active)});
  }
}

}  // namespace flare
