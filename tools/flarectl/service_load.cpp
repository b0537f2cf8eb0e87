// What a service's VM tier has to do: in flight and the cap on it, how load is counted, what of it
// cannot follow a change.
#include <netinet/in.h>

#include "flarectl/service_view.h"
#include "flarectl/units.h"

namespace flare::ctl {
namespace {

/// As flared's own bound; a report that is older is believed no more.
constexpr std::uint64_t kReportBoundNs = 5'000'000'000;

std::string age_text(std::uint64_t age_ns) { return human_time(age_ns) + " ago"; }

std::string in_flight_text(const ServiceView& view) {
  const std::string seen = std::to_string(in_flight(view, FLARE_TIER_VM)) + " in the VM tier";
  const std::string serverless =
      ", " + std::to_string(in_flight(view, FLARE_TIER_SERVERLESS)) + " in serverless";
  if (view.entry.service.counting != FLARE_COUNTING_REPORTED) return seen + serverless;
  return human_count(view.admission.reported) + " as reported; packets show " + seen + serverless;
}

std::string cap_text(const ServiceView& view) {
  const flare_service& service = view.entry.service;
  const flare_service_info& info = view.entry.info;
  if (service.workers == 0) {
    if (service.policy == FLARE_POLICY_FORMULA) return "none with policy formula";
    return service.counting == FLARE_COUNTING_AUTO ? "not learned yet"
                                                   : "none: workers are not told";
  }
  std::string text = service.cap == 0 ? "none; " : human_count(service.cap) + " in flight for ";
  text += human_count(service.workers) + " workers, ";
  if (info.workers_learned == 0) {
    text += "told";
  } else {
    text += "learned: a request that waits for nobody takes " + human_latency(info.base_ns);
  }
  return text + "; " + human_count(view.totals.busy) + " requests found them all busy";
}

std::string counting_text(const ServiceView& view) {
  switch (view.entry.service.counting) {
    case FLARE_COUNTING_CONNECTIONS:
      return "connections: each is a request, from SYN to FIN";
    case FLARE_COUNTING_REPORTED: {
      const auto age_ns = report_age_ns(view);
      return "reported by the service, " + (age_ns ? age_text(*age_ns) : "never yet");
    }
    default:
      return "auto: requests that packets show";
  }
}

std::string speaks_text(const ServiceView& view) {
  std::string text(class_word(view.admission.speaks));
  std::string classes;
  for (std::uint32_t i = 0; i < FLARE_CLASSES_COUNT; ++i) {
    if (view.totals.connections[i] == 0) continue;
    classes += (classes.empty() ? "" : ", ") + std::string(class_word(i)) + " " +
               human_count(view.totals.connections[i]);
  }
  return classes.empty() ? text : text + "; connections: " + classes;
}

/// What was told to end so far, by the tier that it left.
std::uint64_t moved_from(const ServiceView& view, std::uint32_t tier) {
  std::uint64_t sum = 0;
  for (const std::uint64_t count : view.totals.moved[tier]) sum += count;
  return sum;
}

std::string rate_text(const ServiceView& view, std::uint32_t tier) {
  return human_rate(static_cast<double>(view.entry.info.move_rate_mcps[tier]) / 1000);
}

std::string moves_text(const ServiceView& view) {
  const flare_service& service = view.entry.service;
  if (service.move == FLARE_MOVE_NONE) return "none: open connections stay where they are";
  std::string text = human_count(moved_from(view, FLARE_TIER_VM)) + " connections out, " +
                     human_count(moved_from(view, FLARE_TIER_SERVERLESS)) + " home; at most " +
                     rate_text(view, FLARE_TIER_VM) + " out and " +
                     rate_text(view, FLARE_TIER_SERVERLESS) + " home now";
  if (service.move_gated != 0) text += ", out only at the cap";
  return text;
}

}  // namespace

std::optional<std::uint64_t> report_age_ns(const ServiceView& view) {
  const std::uint64_t at_ns = view.entry.info.reported_ns;
  if (at_ns == 0) return std::nullopt;
  return view.now > at_ns ? view.now - at_ns : 0;
}

std::vector<std::string> load_warnings(const ServiceView& view) {
  std::vector<std::string> warnings;
  const std::uint64_t uncounted = view.totals.connections[FLARE_CLASS_TLS_MUX];
  if (view.entry.service.counting == FLARE_COUNTING_AUTO && uncounted > 0) {
    warnings.push_back(
        "HTTP/2 inside TLS cannot be counted from packets: " + human_count(uncounted) +
        " connections; use counting: connections or reported");
  }
  if (view.entry.service.counting == FLARE_COUNTING_REPORTED) {
    const auto age_ns = report_age_ns(view);
    if (!age_ns || *age_ns > kReportBoundNs) {
      warnings.push_back(
          "the service does not report its load (last: " + (age_ns ? age_text(*age_ns) : "never") +
          "): its cap does not act, rates are what packets show");
    }
  }
  return warnings;
}

void add_load_facts(const ServiceView& view, Facts& facts) {
  if (view.entry.key.proto != IPPROTO_TCP) return;
  facts.add("in flight", in_flight_text(view));
  facts.add("cap", cap_text(view));
  facts.add("pinned", human_share(fraction_of(view.entry.info.pinned)) +
                          " of requests are on connections from before the last change");
  facts.add("moves", moves_text(view));
  facts.add("speaks", speaks_text(view));
  facts.add("counting", counting_text(view));
  for (const std::string& warning : load_warnings(view)) {
    facts.add("warning", {warning, Tone::kWarn});
  }
}

}  // namespace flare::ctl
