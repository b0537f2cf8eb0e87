#include "kernel/turn_sweep.h"

#include <algorithm>
#include <atomic>
#include <map>

namespace flare {
namespace {

struct Tally {
  std::uint64_t open = 0;
  std::uint64_t begun_at_start = 0;
  std::uint64_t ended_at_start = 0;
};
using BackendTallies = std::map<std::uint32_t, Tally>;  ///< of those with requests in flight

std::uint64_t ended(const flare_traffic& traffic) { return traffic.answers + traffic.abandoned; }

template <typename Word>
Word load(Word& word) {
  return std::atomic_ref(word).load(std::memory_order_relaxed);
}

/// Requests in flight on one connection.
std::uint64_t open_requests(flare_turn& turn) {
  return (load(turn.open_ns) != 0 ? 1U : 0U) + std::uint64_t{load(turn.streams)};
}

/// Visits every slot that was ever used.
template <typename Visit>
void for_each_turn(const Maps& maps, Visit visit) {
  for (std::uint32_t set = 0; set < maps.turns.size(); ++set) {
    maps.turns.visit(set, [&visit](flare_turn_set& ways) {
      for (flare_turn& turn : ways.way) {
        if (load(turn.tag) != 0) visit(turn);
      }
    });
  }
}

std::int64_t in_flight(const Maps& maps, std::uint32_t service_id, std::uint32_t tier) {
  return static_cast<std::int64_t>(maps.admission.read(service_id).in_flight[tier]);
}

void add_in_flight(const Maps& maps, std::uint32_t service_id, std::uint32_t tier,
                   std::int64_t change) {
  maps.admission.visit(service_id, [&](flare_admission& admission) {
    std::atomic_ref(admission.in_flight[tier])
        .fetch_add(static_cast<__u64>(change), std::memory_order_relaxed);
  });
}

/// The slots were seen at different moments. Since the walk began, some requests began and some
/// ended, so the truth lies between open - ended and open + begun. Returns what `now` lacks of it.
std::int64_t correction(const Tally& tally, const flare_traffic& totals, std::int64_t now) {
  const auto open = static_cast<std::int64_t>(tally.open);
  const auto gone = static_cast<std::int64_t>(ended(totals) - tally.ended_at_start);
  const auto come = static_cast<std::int64_t>(totals.requests - tally.begun_at_start);
  return std::clamp(now, std::max<std::int64_t>(0, open - gone), open + come) - now;
}

/// A backend with none in flight has nothing to correct that the next walk would not see.
BackendTallies busy_backends(const Maps& maps) {
  BackendTallies tallies;
  for (std::uint32_t id = 1; id < maps.backends_max(); ++id) {
    if (maps.backend_loads.get(id, &flare_backend_load::in_flight) == 0) continue;
    const flare_traffic totals = maps.backend_totals(id).traffic;
    tallies[id] = {0, totals.requests, ended(totals)};
  }
  return tallies;
}

void correct_backends(const Maps& maps, const BackendTallies& tallies) {
  for (const auto& [id, tally] : tallies) {
    const auto now =
        static_cast<std::int64_t>(maps.backend_loads.get(id, &flare_backend_load::in_flight));
    const std::int64_t lacks = correction(tally, maps.backend_totals(id).traffic, now);
    if (lacks != 0) {
      maps.backend_loads.add(id, &flare_backend_load::in_flight, static_cast<std::uint64_t>(lacks));
    }
  }
}

/// Takes the open requests of a silent connection. Returns how many; 0 where the datapath has just
/// ended them, or the connection has spoken.
std::uint64_t end_silently(flare_turn& turn, std::uint64_t now_ns, std::uint64_t silence_ns) {
  const std::uint64_t seen = load(turn.seen_ns);
  if (seen > now_ns || now_ns - seen <= silence_ns) return 0;
  return (std::atomic_ref(turn.open_ns).exchange(0) != 0 ? 1U : 0U) +
         std::uint64_t{std::atomic_ref(turn.streams).exchange(0)};
}

}  // namespace

TurnReport sweep_turns(const Maps& maps, std::uint64_t now_ns, std::uint64_t silence_ns) {
  TurnReport report;
  std::vector<Tally> tallies(std::size_t{maps.services_max()} * FLARE_TIERS_COUNT);
  for (std::uint32_t id = 0; id < maps.services_max(); ++id) {
    const flare_service_counters totals = maps.service_totals(id);
    for (std::uint32_t tier = 0; tier < FLARE_TIERS_COUNT; ++tier) {
      Tally& tally = tallies[id * FLARE_TIERS_COUNT + tier];
      tally.begun_at_start = totals.tier[tier].requests;
      tally.ended_at_start = ended(totals.tier[tier]);
    }
  }
  BackendTallies backends = busy_backends(maps);
  for_each_turn(maps, [&](flare_turn& turn) {
    const std::size_t of = std::size_t{turn.service_id} * FLARE_TIERS_COUNT + turn.tier;
    if (of >= tallies.size() || open_requests(turn) == 0) return;
    if (const std::uint64_t ended = end_silently(turn, now_ns, silence_ns); ended > 0) {
      add_in_flight(maps, turn.service_id, turn.tier, -static_cast<std::int64_t>(ended));
      maps.admission.add(turn.service_id, &flare_admission::vanished, ended);
      if (turn.backend_id != 0 && turn.backend_id < maps.backends_max()) {
        maps.backend_loads.sub(turn.backend_id, &flare_backend_load::in_flight, ended);
      }
      report.vanished += ended;
      return;
    }
    const std::uint64_t open = open_requests(turn);
    tallies[of].open += open;
    report.open += open;
    const auto backend = backends.find(turn.backend_id);
    if (backend != backends.end()) backend->second.open += open;
  });
  for (std::uint32_t id = 0; id < maps.services_max(); ++id) {
    const flare_service_counters totals = maps.service_totals(id);
    for (std::uint32_t tier = 0; tier < FLARE_TIERS_COUNT; ++tier) {
      const Tally& tally = tallies[id * FLARE_TIERS_COUNT + tier];
      const std::int64_t lacks = correction(tally, totals.tier[tier], in_flight(maps, id, tier));
      if (lacks == 0) continue;
      add_in_flight(maps, id, tier, lacks);
      report.corrections.push_back({id, static_cast<flare_tier>(tier), lacks});
    }
  }
  correct_backends(maps, backends);
  return report;
}

void forget_turns(const Maps& maps, std::span<const std::uint32_t> service_ids) {
  std::vector<bool> forgotten(maps.services_max());
  for (const std::uint32_t id : service_ids) forgotten[id] = true;
  for_each_turn(maps, [&forgotten](flare_turn& turn) {
    if (turn.service_id >= forgotten.size() || !forgotten[turn.service_id]) return;
    std::atomic_ref(turn.open_ns).store(0, std::memory_order_relaxed);
    std::atomic_ref(turn.streams).store(0, std::memory_order_relaxed);
    std::atomic_ref(turn.tag).store(0, std::memory_order_relaxed);
  });
}

}  // namespace flare
