#include "service/health_source.h"

#include "kernel/latency.h"

namespace flare {
namespace {

/// From so many requests on their slowest thousandth says something.
constexpr std::uint64_t kTimedLeast = 1000;
constexpr double kSlowest = 0.999;

}  // namespace

BackendSample KernelHealthSource::sample(std::uint32_t backend_id) const {
  const flare_backend_counters totals = maps_.backend_totals(backend_id);
  flare_backend_load load{};
  maps_.backend_loads.accumulate(backend_id, load);
  return {totals.traffic.flows_new, totals.accepted,        totals.refused,
          totals.traffic.requests,  totals.traffic.answers, load.in_flight};
}

SlowestNs KernelHealthSource::slowest_ns(std::uint32_t service_id, flare_tier tier) const {
  const flare_histogram times = maps_.latency(service_id, tier, FLARE_LATENCY_REQUEST);
  if (latency_count(times) < kTimedLeast) return std::nullopt;
  return latency_quantile_ns(times, kSlowest);
}

}  // namespace flare
