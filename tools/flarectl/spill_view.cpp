#include "flarectl/spill_view.h"

#include <algorithm>
#include <numeric>

#include "flarectl/units.h"
#include "flarectl/view.h"

namespace flare::ctl {
namespace {

std::uint64_t age_of(const flare_spill_event& event, std::uint64_t now_ns) {
  return now_ns > event.at_ns ? now_ns - event.at_ns : 0;
}

}  // namespace

LastSpill last_spill(std::span<const flare_spill_event> history, const std::string& service) {
  LastSpill last;
  for (const flare_spill_event& event : history) {
    if (service != event.name) continue;
    (event.kind == FLARE_SPILL_EVENT_START ? last.start : last.end) = event;
  }
  return last;
}

std::uint64_t spill_flows(const flare_spill_event& event) {
  return std::accumulate(std::begin(event.flows), std::end(event.flows), std::uint64_t{0});
}

std::string spill_cause(const flare_spill_event& event) {
  if (event.kind == FLARE_SPILL_EVENT_END) return "-";
  if (spill_flows(event) == 0) return event.share > 0 ? "share" : "observed";
  const auto* most = std::max_element(std::begin(event.flows), std::end(event.flows));
  return std::string(spill_cause_word(static_cast<std::uint32_t>(most - std::begin(event.flows))));
}

Json spill_event_json(const flare_spill_event& event, std::uint64_t now_ns) {
  Json made{{"number", event.number},
            {"event", spill_event_word(event.kind)},
            {"service", std::string(event.name)},
            {"age_ns", age_of(event, now_ns)},
            {"arrivals_rps", static_cast<double>(event.arrivals_mrps) / 1000},
            {"capacity_rps", static_cast<double>(event.capacity_mrps) / 1000},
            {"share", fraction_of(event.share)},
            {"in_flight", static_cast<std::int64_t>(event.in_flight)}};
  if (event.kind == FLARE_SPILL_EVENT_START) {
    Json flows = Json::object();
    for (std::uint32_t cause = 0; cause < FLARE_SPILL_CAUSES_COUNT; ++cause) {
      flows[std::string(spill_cause_word(cause))] = event.flows[cause];
    }
    made["spilled"] = flows;
    made["observed"] = event.observed;
  } else {
    made["flows"] = event.flows[0];
    made["only_observed"] = event.observed != 0;
    made["lasted_ns"] = event.lasted_ns;
    made["price_nanousd"] = event.price_nanousd;
  }
  return made;
}

std::string spill_start_text(const flare_spill_event& start) {
  std::string text = spill_cause(start) + ": " + human_count(spill_flows(start) + start.observed) +
                     " flows in the interval that began it, " +
                     std::to_string(static_cast<std::int64_t>(start.in_flight)) +
                     " requests in flight, " +
                     human_rate(static_cast<double>(start.arrivals_mrps) / 1000) + " arriving";
  if (start.capacity_mrps > 0) {
    text += ", capacity " + human_rate(static_cast<double>(start.capacity_mrps) / 1000);
  }
  if (start.share > 0) text += ", share " + human_share(fraction_of(start.share));
  return text;
}

std::string spill_end_text(const flare_spill_event& end, std::uint64_t now_ns) {
  return "ended " + human_time(age_of(end, now_ns)) + " ago after " + human_time(end.lasted_ns) +
         ": " + human_count(end.flows[0]) +
         (end.observed != 0 ? " flows would have been spilled, " : " flows, ") +
         human_usd(static_cast<double>(end.price_nanousd) / 1e9);
}

}  // namespace flare::ctl
