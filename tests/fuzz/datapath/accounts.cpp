#include "datapath/accounts.h"

#include <cstdio>
#include <cstdlib>

namespace flare::fuzz {
namespace {

[[noreturn]] void differs(const char* what, unsigned service, std::uint64_t counted,
                          std::uint64_t there) {
  std::fprintf(stderr, "accounts: service %u: %s: %lld counted, %lld there\n", service, what,
               static_cast<long long>(counted), static_cast<long long>(there));
  std::abort();
}

struct Open {
  std::uint64_t requests[kServices][2] = {}, flows[kServices] = {}, shifts[kServices] = {};
  std::uint64_t at_backend[kBackends] = {};
};

Open count_open() {
  Open open;
  named().turns.for_each<std::uint32_t, flare_turn_set>([&](std::uint32_t, flare_turn_set& set) {
    for (const flare_turn& turn : set.way) {
      const std::uint64_t here = (turn.open_ns != 0 ? 1U : 0U) + turn.streams;
      if (here == 0) continue;
      open.requests[turn.service_id % kServices][turn.tier & 1] += here;
      open.at_backend[turn.backend_id % kBackends] += here;
    }
  });
  named().flows.for_each<flare_flow_key, flare_flow>([&](flare_flow_key, flare_flow& flow) {
    if (flow.dir == FLARE_DIR_FORWARD && flow.tier == FLARE_TIER_SERVERLESS &&
        (flow.flags & FLARE_FLOW_CLOSED) == 0)
      ++open.flows[flow.service_id % kServices];
  });
  named().shifts.for_each<flare_flow_key, flare_shift>(
      [&](flare_flow_key, flare_shift& shift) { ++open.shifts[shift.service_id % kServices]; });
  return open;
}

}  // namespace

void judge_accounts(World& world) {
  if (world.disturbed()) return;
  const Open open = count_open();
  for (std::uint32_t id = 1; id <= 4; ++id) {
    const auto* adm = entry<flare_admission>(named().admission, id);
    const auto* row = entry<flare_service_counters>(named().service_counters, id);
    for (unsigned tier = 0; tier < 2; ++tier) {
      const flare_traffic& traffic = row->tier[tier];
      if (adm->in_flight[tier] != open.requests[id][tier])
        differs("requests in flight", id, adm->in_flight[tier], open.requests[id][tier]);
      if (traffic.requests - traffic.answers - traffic.abandoned != adm->in_flight[tier])
        differs("requests begun = answered + abandoned + in flight", id,
                traffic.requests - traffic.answers - traffic.abandoned, adm->in_flight[tier]);
    }
    if (adm->active != open.flows[id]) differs("spilled flows", id, adm->active, open.flows[id]);
    if (adm->shifts != open.shifts[id])
      differs("connections with a GOAWAY", id, adm->shifts, open.shifts[id]);
  }
  for (std::uint32_t id = 1; id < kBackends; ++id) {
    const auto* load = entry<flare_backend_load>(named().backend_loads, id);
    if (load->in_flight != open.at_backend[id])
      differs("requests at a backend", id, load->in_flight, open.at_backend[id]);
  }
}

}  // namespace flare::fuzz
