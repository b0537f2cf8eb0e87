// The requests of a service: how many, how many at once, how long they take.
#include <iostream>

#include "flarectl/service_view.h"
#include "flarectl/table.h"
#include "flarectl/units.h"
#include "kernel/latency.h"

namespace flare::ctl {
namespace {

std::string quantile_text(const flare_histogram& histogram, double q) {
  const auto ns = latency_quantile_ns(histogram, q);
  return ns ? human_latency(*ns) : "-";
}

}  // namespace

std::int64_t in_flight(const ServiceView& view, std::uint32_t tier) {
  return static_cast<std::int64_t>(view.admission.in_flight[tier]);
}

Json latency_json(const flare_histogram& histogram) {
  const auto quantile = [&histogram](double q) {
    const auto ns = latency_quantile_ns(histogram, q);
    return ns ? Json(*ns) : Json(nullptr);
  };
  return {{"count", latency_count(histogram)},
          {"sum_ns", histogram.sum_ns},
          {"p50_ns", quantile(0.50)},
          {"p95_ns", quantile(0.95)},
          {"p99_ns", quantile(0.99)}};
}

void print_requests(const Context& context, const ServiceView& view) {
  Table table({{"REQUESTS"},
               {"BEGUN", Align::kRight},
               {"ANSWERED", Align::kRight},
               {"ABANDONED", Align::kRight},
               {"IN-FLIGHT", Align::kRight},
               {"P50", Align::kRight},
               {"P95", Align::kRight},
               {"P99", Align::kRight},
               {"SYN-ACK-P50", Align::kRight}});
  for (std::uint32_t tier = 0; tier < FLARE_TIERS_COUNT; ++tier) {
    const flare_traffic& traffic = view.totals.tier[tier];
    const ServiceView::Latencies& latencies = view.latencies[tier];
    table.add({std::string(tier_word(tier)), human_count(traffic.requests),
               human_count(traffic.answers), human_count(traffic.abandoned),
               std::to_string(in_flight(view, tier)), quantile_text(latencies.request, 0.50),
               quantile_text(latencies.request, 0.95), quantile_text(latencies.request, 0.99),
               quantile_text(latencies.handshake, 0.50)});
  }
  std::cout << '\n';
  table.print(std::cout, context);

  Facts facts;
  if (view.admission.vanished > 0) {
    facts.add("vanished",
              human_count(view.admission.vanished) + " requests of connections that went silent");
  }
  facts.print(std::cout, context);
}

}  // namespace flare::ctl
