// A service with all that is known of it, for `service list` and `service show`.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "flarectl/spill_view.h"
#include "flarectl/table.h"
#include "flarectl/view.h"

namespace flare::ctl {

struct ServiceView {
  ServiceEntry entry;
  flare_service_counters totals{};
  flare_admission admission{};
  std::uint64_t now = 0;
  struct Latencies {
    flare_histogram request{}, handshake{};
  };
  std::array<Latencies, FLARE_TIERS_COUNT> latencies{};
  LastSpill spill;
};

/// `history` is what Maps::spill_history() gives.
ServiceView read_service(const Maps& maps, const ServiceEntry& entry,
                         std::span<const flare_spill_event> history);

/// Sums over causes and reasons.
std::uint64_t spilled(const flare_service_counters& totals);
std::uint64_t observed(const flare_service_counters& totals);
std::uint64_t refused(const flare_service_counters& totals);

/// "calm", "spilling for 12 s", "observing", ...
std::string state_text(const ServiceView& view);

Json service_json(const ServiceView& view);

/// Requests of a tier that were begun and not ended.
std::int64_t in_flight(const ServiceView& view, std::uint32_t tier);
/// `count`, `sum_ns`, and `p50_ns p95_ns p99_ns`, null where nothing was measured.
Json latency_json(const flare_histogram& histogram);
/// Requests and how long they take, for people. Of TCP services.
void print_requests(const Context& context, const ServiceView& view);

/// Since the service last told its load; nothing where it never did.
std::optional<std::uint64_t> report_age_ns(const ServiceView& view);
/// What keeps its load from being known, a sentence each.
std::vector<std::string> load_warnings(const ServiceView& view);
/// In flight, the cap and how it is known, what the service speaks and how that is counted.
void add_load_facts(const ServiceView& view, Facts& facts);

/// Everything about one service, for people.
void print_service(const Context& context, const Maps& maps, const ServiceView& view);

}  // namespace flare::ctl
