// The page of one service.
#include <netinet/in.h>

#include <iostream>

#include "flarectl/service_view.h"
#include "flarectl/table.h"
#include "flarectl/units.h"

namespace flare::ctl {
namespace {

/// Tokens a second and how many at once, of a limit kept as interval and depth.
std::string limit_text(std::uint64_t interval_ns, std::uint64_t depth_ns, const char* none) {
  if (interval_ns == 0) return none;
  return human_rate(1e9 / static_cast<double>(interval_ns)) + ", at once " +
         human_count(depth_ns / interval_ns);
}

std::string count_list(const __u64* counts, std::uint32_t size,
                       std::string_view (*word)(std::uint32_t)) {
  std::string text;
  std::uint64_t sum = 0;
  for (std::uint32_t i = 0; i < size; ++i) {
    sum += counts[i];
    if (counts[i] == 0) continue;
    text += (text.empty() ? "" : ", ") + std::string(word(i)) + " " + human_count(counts[i]);
  }
  return human_count(sum) + (text.empty() ? "" : " (" + text + ")");
}

std::string capacity_text(const ServiceView& view) {
  const bool learned = view.entry.service.policy == FLARE_POLICY_CAP &&
                       view.entry.service.counting != FLARE_COUNTING_REPORTED;
  const std::uint64_t mrps = view.entry.info.capacity_mrps;
  if (mrps == 0) return learned ? "not learned yet" : "not told";
  return human_rate(static_cast<double>(mrps) / 1000) + (learned ? ", learned" : ", told");
}

/// How flows are sent on, where something of it differs from the plain way of a receiver.
std::string sending_text(const flare_service& service) {
  std::string text;
  const auto add = [&text](const std::string& part) { text += (text.empty() ? "" : "; ") + part; };
  if (service.placement == FLARE_PLACEMENT_BALANCER) {
    add("snat of the VM tier " + std::string(snat_word(service.snat_mode)));
  }
  if (service.placement == FLARE_PLACEMENT_SENDER) add("no snat: clients keep their addresses");
  if (service.select != FLARE_SELECT_HASH) {
    add("backends by " + std::string(select_word(service.select)));
  }
  if (service.affinity_ns != 0) add("affinity " + human_time(service.affinity_ns));
  if (service.chain != FLARE_CHAIN_RETURN) {
    add("chain " + std::string(chain_word(service.chain)));
  }
  return text;
}

void print_choice(const Context& context, const Maps& maps, const ServiceView& view) {
  const flare_service& service = view.entry.service;
  const flare_service_info& info = view.entry.info;
  Heartbeat heartbeat = read_heartbeat(maps, view.now);
  Facts facts;
  facts.add("frontend", protocol_text(view.entry.key.proto) + " " +
                            endpoint_text(view.entry.key.addr, view.entry.key.port));
  facts.add("policy",
            std::string(policy_word(service.policy)) + " at the " +
                std::string(placement_word(service.placement)) +
                "; when it may not spill: " + std::string(overload_word(service.overload)) +
                "; without flared: " + std::string(fallback_word(service.fallback)));
  if (const std::string sending = sending_text(service); !sending.empty()) {
    facts.add("sending", sending);
  }
  std::string state = state_text(view);
  facts.add("state", {state, state.starts_with("spilling") ? Tone::kWarn : Tone::kGood});
  const bool spills = info.spilling_since_ns != 0;
  if (spills && view.spill.start.number != 0) {
    facts.add("why", spill_start_text(view.spill.start));
  } else if (!spills && view.spill.end.number != 0) {
    facts.add("last spill", spill_end_text(view.spill.end, view.now));
  }
  std::string pinned = info.share_pinned ? " (pinned by hand)" : "";
  facts.add("share", "wanted " + human_share(fraction_of(info.wanted_share)) + ", applied " +
                         human_share(fraction_of(info.applied_share)) + pinned);
  facts.add("load", human_rate(static_cast<double>(info.arrivals_mrps) / 1000) + " arrive, " +
                        human_rate(static_cast<double>(info.vm_mrps) / 1000) + " to the VM tier, " +
                        human_rate(static_cast<double>(info.serverless_mrps) / 1000) +
                        " to serverless");
  add_load_facts(view, facts);
  facts.add("capacity", capacity_text(view) + "; bucket " +
                            limit_text(service.bucket_interval_ns, service.bucket_depth_ns, "off"));
  facts.add("heartbeat", heartbeat.ever ? Cell(human_time(heartbeat.age_ns) + " ago",
                                               heartbeat.fresh ? Tone::kGood : Tone::kBad)
                                        : Cell("never", Tone::kBad));
  facts.print(std::cout, context);
}

void print_spending(const Context& context, const ServiceView& view) {
  const flare_service& service = view.entry.service;
  std::uint64_t used = hour_used(view.admission, view.now);
  Facts facts;
  facts.add("active",
            human_count(view.admission.active) + " spilled flows" +
                (service.active_max == 0 ? "" : " of " + human_count(service.active_max)) +
                ", highest " + human_count(view.admission.active_peak));
  facts.add("rate limit", limit_text(service.spend_interval_ns, service.spend_depth_ns, "none"));
  if (service.prefix_interval_ns != 0) {
    facts.add("a /24 or /64",
              limit_text(service.prefix_interval_ns, service.prefix_depth_ns, "no limit"));
  }
  facts.add("ramp", limit_text(service.ramp_interval_ns, service.ramp_depth_ns, "none"));
  bool exhausted = used >= service.hour_budget;
  facts.add("this hour", {human_count(used) + " of " + human_count(service.hour_budget) +
                              " spilled, " + human_time(hour_ends_in_ns(view.now)) + " left",
                          exhausted ? Tone::kBad : Tone::kPlain});
  double per_million = static_cast<double>(view.entry.info.price_nanousd) / 1e3;
  facts.add("worst cost", human_usd(worst_cost_per_hour(view.entry)) + " an hour (" +
                              human_count(spill_limit_per_hour(service)) + " flows at " +
                              human_usd(per_million) + " a million)");
  std::cout << '\n';
  facts.print(std::cout, context);
}

void print_tiers(const Context& context, const ServiceView& view) {
  Table table({{"TIER"},
               {"NEW", Align::kRight},
               {"CLOSED", Align::kRight},
               {"PACKETS-IN", Align::kRight},
               {"BYTES-IN", Align::kRight},
               {"PACKETS-OUT", Align::kRight},
               {"BYTES-OUT", Align::kRight},
               {"RESETS-IN", Align::kRight},
               {"RESETS-OUT", Align::kRight}});
  for (std::uint32_t tier = 0; tier < FLARE_TIERS_COUNT; ++tier) {
    const flare_traffic& traffic = view.totals.tier[tier];
    table.add({std::string(tier_word(tier)), human_count(traffic.flows_new),
               human_count(traffic.flows_closed), human_count(traffic.packets_in),
               human_bytes(traffic.bytes_in), human_count(traffic.packets_out),
               human_bytes(traffic.bytes_out), human_count(traffic.resets_in),
               human_count(traffic.resets_out)});
  }
  std::cout << '\n';
  table.print(std::cout, context);
}

void print_decisions(const Context& context, const ServiceView& view) {
  const flare_service_counters& totals = view.totals;
  Facts facts;
  facts.add("spilled", count_list(totals.spilled, FLARE_SPILL_CAUSES_COUNT, spill_cause_word));
  facts.add("observed", count_list(totals.observed, FLARE_SPILL_CAUSES_COUNT, spill_cause_word));
  std::string refusals = count_list(totals.refused, FLARE_REFUSALS_COUNT, refusal_word);
  facts.add("refused", {refusals, refused(totals) > 0 ? Tone::kWarn : Tone::kPlain});
  facts.add("handshakes", human_count(totals.handshakes) + " completed");
  if (totals.stale_decisions > 0) {
    facts.add(
        "without flared",
        {human_count(totals.stale_decisions) + " flows decided by the fallback", Tone::kWarn});
  }
  std::cout << '\n';
  facts.print(std::cout, context);
}

void print_backends(const Context& context, const Maps& maps, const ServiceView& view) {
  auto entries = maps.backend_entries();
  if (!entries) return;
  Table table({{"BACKEND"},
               {"TIER"},
               {"STATE"},
               {"WEIGHT", Align::kRight},
               {"IN-FLIGHT", Align::kRight},
               {"ACTIVE", Align::kRight},
               {"NEW", Align::kRight},
               {"BYTES-IN", Align::kRight},
               {"BYTES-OUT", Align::kRight}});
  for (const Maps::BackendEntry& entry : *entries) {
    if (entry.backend.service_id != view.entry.service.id) continue;
    flare_backend_counters totals = maps.backend_totals(entry.id);
    const flare_backend_load load = maps.backend_loads.read(entry.id);
    bool active = entry.backend.state == FLARE_BACKEND_ACTIVE;
    table.add({endpoint_text(entry.backend.addr, entry.backend.port),
               std::string(tier_word(entry.backend.tier)),
               Cell(std::string(backend_state_word(entry.backend.state)),
                    active ? Tone::kGood : Tone::kWarn),
               std::to_string(entry.backend.weight), human_count(load.in_flight),
               human_count(load.active), human_count(totals.traffic.flows_new),
               human_bytes(totals.traffic.bytes_in), human_bytes(totals.traffic.bytes_out)});
  }
  if (table.empty()) return;
  std::cout << '\n';
  table.print(std::cout, context);
}

}  // namespace

void print_service(const Context& context, const Maps& maps, const ServiceView& view) {
  print_choice(context, maps, view);
  if (view.entry.key.proto == IPPROTO_TCP) print_requests(context, view);
  print_spending(context, view);
  print_tiers(context, view);
  print_decisions(context, view);
  print_backends(context, maps, view);
}

}  // namespace flare::ctl
