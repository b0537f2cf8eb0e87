// flarectl service list|show: the services, and all that is known of one.
#include <netinet/in.h>

#include <algorithm>
#include <iostream>
#include <numeric>

#include "flarectl/commands.h"
#include "flarectl/service_view.h"
#include "flarectl/table.h"
#include "flarectl/units.h"

namespace flare::ctl {
namespace {

struct ListOptions {};
struct ShowOptions {
  std::string name;
};

template <std::size_t size>
std::uint64_t sum(const __u64 (&counts)[size]) {
  return std::accumulate(std::begin(counts), std::end(counts), std::uint64_t{0});
}

/// {"share": 1, "bucket": 2, ...} from an array of counts and its words.
template <typename Word>
Json by_word(const __u64* counts, std::uint32_t size, Word word) {
  Json object = Json::object();
  for (std::uint32_t i = 0; i < size; ++i) object[std::string(word(i))] = counts[i];
  return object;
}

/// What its connections speak, or else what stands for its load.
std::string speaks_word(const ServiceView& view) {
  if (view.entry.key.proto != IPPROTO_TCP) return "-";
  if (view.entry.service.counting != FLARE_COUNTING_AUTO) {
    return std::string(counting_word(view.entry.service.counting));
  }
  return std::string(class_word(view.admission.speaks));
}

int list(const Context& context, const ListOptions&) {
  auto maps = open_maps(context);
  if (!maps) return kMaps;
  auto entries = maps->service_entries();
  if (!entries) return fail(kMaps, entries.error().message());
  auto history = maps->spill_history();
  if (!history) return fail(kMaps, history.error().message());
  Json services = Json::array();
  Table table({{"NAME"},
               {"FRONTEND"},
               {"PROTO"},
               {"PLACEMENT"},
               {"POLICY"},
               {"SPEAKS"},
               {"SHARE", Align::kRight},
               {"ARRIVALS", Align::kRight},
               {"CAPACITY", Align::kRight},
               {"ACTIVE", Align::kRight},
               {"SPILLED", Align::kRight},
               {"REFUSED", Align::kRight},
               {"STATE"}});
  for (const ServiceEntry& entry : *entries) {
    ServiceView view = read_service(*maps, entry, *history);
    services.push_back(service_json(view));
    std::string state = state_text(view);
    table.add({shown_name(entry), endpoint_text(entry.key.addr, entry.key.port),
               protocol_text(entry.key.proto), std::string(placement_word(entry.service.placement)),
               std::string(policy_word(entry.service.policy)),
               Cell(speaks_word(view), load_warnings(view).empty() ? Tone::kPlain : Tone::kWarn),
               human_share(fraction_of(entry.info.applied_share)),
               human_rate(static_cast<double>(entry.info.arrivals_mrps) / 1000),
               human_rate(static_cast<double>(entry.info.capacity_mrps) / 1000),
               human_count(view.admission.active), human_count(spilled(view.totals)),
               human_count(refused(view.totals)),
               Cell(state, state.starts_with("spilling") ? Tone::kWarn : Tone::kPlain)});
  }
  if (context.json) {
    print_json("service list", {{"services", services}});
  } else if (table.empty()) {
    std::cerr << "no service is configured\n";
  } else {
    table.print(std::cout, context);
  }
  return kOk;
}

int show(const Context& context, const ShowOptions& options) {
  auto maps = open_maps(context);
  if (!maps) return kMaps;
  int code = kOk;
  auto entry = find_service(*maps, options.name, &code);
  if (!entry) return code;
  auto history = maps->spill_history();
  if (!history) return fail(kMaps, history.error().message());
  ServiceView view = read_service(*maps, *entry, *history);
  if (context.json) {
    print_json("service show", {{"service", service_json(view)}});
  } else {
    print_service(context, *maps, view);
  }
  return kOk;
}

}  // namespace

ServiceView read_service(const Maps& maps, const ServiceEntry& entry,
                         std::span<const flare_spill_event> history) {
  ServiceView view;
  view.entry = entry;
  view.now = now_ns();
  view.spill = last_spill(history, entry.name);
  bool sound = entry.service.id < maps.services_max();
  if (!sound) return view;
  view.totals = maps.service_totals(entry.service.id);
  view.admission = maps.admission_total(entry.service.id);
  for (std::uint32_t tier = 0; tier < FLARE_TIERS_COUNT; ++tier) {
    const auto of = static_cast<flare_tier>(tier);
    view.latencies[tier] = {maps.latency(entry.service.id, of, FLARE_LATENCY_REQUEST),
                            maps.latency(entry.service.id, of, FLARE_LATENCY_HANDSHAKE)};
  }
  return view;
}

std::uint64_t spilled(const flare_service_counters& totals) { return sum(totals.spilled); }
std::uint64_t observed(const flare_service_counters& totals) { return sum(totals.observed); }
std::uint64_t refused(const flare_service_counters& totals) { return sum(totals.refused); }

std::string state_text(const ServiceView& view) {
  const flare_service_info& info = view.entry.info;
  if (view.entry.name.empty()) return "removed, its flows go on";
  std::string pinned = info.share_pinned ? ", share pinned" : "";
  if (view.entry.service.policy == FLARE_POLICY_OBSERVE) return "observing" + pinned;
  if (info.spilling_since_ns != 0 && view.now > info.spilling_since_ns) {
    return "spilling for " + human_time(view.now - info.spilling_since_ns) + pinned;
  }
  return "calm" + pinned;
}

/// Traffic of a tier, and how its requests fare.
static Json tier_json(const ServiceView& view, flare_tier tier) {
  Json made = traffic_json(view.totals.tier[tier]);
  made["pinned"] = view.totals.pinned[tier];
  made["moved"] = by_word(view.totals.moved[tier], FLARE_MEANS_COUNT, means_word);
  made["in_flight"] = in_flight(view, tier);
  made["request"] = latency_json(view.latencies[tier].request);
  made["handshake"] = latency_json(view.latencies[tier].handshake);
  return made;
}

static Json nullable(const std::optional<std::uint64_t>& value) {
  return value ? Json(*value) : Json(nullptr);
}

static Json event_json(const flare_spill_event& event, std::uint64_t now_ns) {
  return event.number == 0 ? Json(nullptr) : spill_event_json(event, now_ns);
}

/// Of a limit; null where there is none.
static Json tokens_per_second(std::uint64_t interval_ns) {
  return interval_ns == 0 ? Json(nullptr) : Json(1e9 / static_cast<double>(interval_ns));
}

Json service_json(const ServiceView& view) {
  const flare_service& service = view.entry.service;
  const flare_service_info& info = view.entry.info;
  const flare_service_counters& totals = view.totals;
  return {
      {"name", view.entry.name},
      {"id", service.id},
      {"epoch", service.epoch},
      {"frontend", endpoint_text(view.entry.key.addr, view.entry.key.port)},
      {"protocol", protocol_text(view.entry.key.proto)},
      {"placement", placement_word(service.placement)},
      {"snat_mode", snat_word(service.snat_mode)},
      {"select", select_word(service.select)},
      {"chain", chain_word(service.chain)},
      {"affinity_ns", service.affinity_ns},
      {"policy", policy_word(service.policy)},
      {"overload", overload_word(service.overload)},
      {"fallback", fallback_word(service.fallback)},
      {"state", state_text(view)},
      {"share_wanted", fraction_of(info.wanted_share)},
      {"share_applied", fraction_of(info.applied_share)},
      {"share_pinned", info.share_pinned != 0},
      {"capacity_rps", static_cast<double>(info.capacity_mrps) / 1000},
      {"arrivals_rps", static_cast<double>(info.arrivals_mrps) / 1000},
      {"vm_rps", static_cast<double>(info.vm_mrps) / 1000},
      {"serverless_rps", static_cast<double>(info.serverless_mrps) / 1000},
      {"sampled_age_ns", info.sampled_ns == 0 ? Json(nullptr) : Json(view.now - info.sampled_ns)},
      {"spilling_for_ns", info.spilling_since_ns == 0 ? 0 : view.now - info.spilling_since_ns},
      {"tiers",
       {{"vm", tier_json(view, FLARE_TIER_VM)},
        {"serverless", tier_json(view, FLARE_TIER_SERVERLESS)}}},
      {"workers", service.workers},
      {"workers_learned", info.workers_learned != 0},
      {"base_ns", info.base_ns == 0 ? Json(nullptr) : Json(info.base_ns)},
      {"cap", service.cap},
      {"busy", totals.busy},
      {"early_bucket", totals.early_bucket},
      {"resyncs", totals.resyncs},
      {"over_cap", totals.over_cap},
      {"class", class_word(view.admission.speaks)},
      {"counting", counting_word(service.counting)},
      {"reported_in_flight", view.admission.reported},
      {"reported_age_ns", nullable(report_age_ns(view))},
      {"pinned_share", fraction_of(info.pinned)},
      {"warnings", load_warnings(view)},
      {"last_spill_start", event_json(view.spill.start, view.now)},
      {"last_spill_end", event_json(view.spill.end, view.now)},
      {"move", move_word(service.move)},
      {"move_per_second",
       {{"vm", static_cast<double>(info.move_rate_mcps[FLARE_TIER_VM]) / 1000},
        {"serverless", static_cast<double>(info.move_rate_mcps[FLARE_TIER_SERVERLESS]) / 1000}}},
      {"move_gated", service.move_gated != 0},
      {"connections", by_word(totals.connections, FLARE_CLASSES_COUNT, class_word)},
      {"vanished", view.admission.vanished},
      {"spilled", by_word(totals.spilled, FLARE_SPILL_CAUSES_COUNT, spill_cause_word)},
      {"observed", by_word(totals.observed, FLARE_SPILL_CAUSES_COUNT, spill_cause_word)},
      {"refused", by_word(totals.refused, FLARE_REFUSALS_COUNT, refusal_word)},
      {"handshakes", totals.handshakes},
      {"port_probes", totals.port_probes},
      {"stale_decisions", totals.stale_decisions},
      {"spend_per_second", tokens_per_second(service.spend_interval_ns)},
      {"prefix_per_second", tokens_per_second(service.prefix_interval_ns)},
      {"active", view.admission.active},
      {"active_max", service.active_max},
      {"active_peak", view.admission.active_peak},
      {"hour_used", hour_used(view.admission, view.now)},
      {"hour_budget", service.hour_budget},
      {"hour_ends_in_ns", hour_ends_in_ns(view.now)},
      {"price_nanousd", info.price_nanousd},
      {"worst_cost_per_hour_usd", worst_cost_per_hour(view.entry)},
      {"snat", [&service] {
         Json list = Json::array();
         for (std::uint32_t i = 0; i < service.snat_count && i < FLARE_SNAT_ADDRS_MAX; ++i) {
           list.push_back(Address{service.snat[i]}.text());
         }
         return list;
       }()}};
}

void add_service(CLI::App& app, Context& context) {
  CLI::App& noun = *app.add_subcommand("service", "the services");
  noun.require_subcommand(1);
  CLI::App& list_command = *noun.add_subcommand("list", "all services, a line each")->alias("ls");
  command_options<ListOptions>(list_command, context, list);
  CLI::App& show_command = *noun.add_subcommand("show", "all that is known of one service");
  auto& options = command_options<ShowOptions>(show_command, context, show);
  show_command.add_option("NAME", options.name, "the service's name")->required();
}

}  // namespace flare::ctl
