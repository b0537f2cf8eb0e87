#include "service/spill_watch.h"

#include <fmt/format.h>

#include "control/limits.h"

namespace flare {
namespace {

constexpr std::uint64_t kQuietNs = 5'000'000'000;

double per_second(std::uint64_t mrps) { return static_cast<double>(mrps) / 1e3; }

double seconds(std::uint64_t ns) { return static_cast<double>(ns) / 1e9; }

}  // namespace

std::optional<std::string> SpillWatch::step(const ServiceConfig& service,
                                            const ControlOutcome& outcome,
                                            std::uint64_t applied_share, std::uint64_t now_ns) {
  const std::uint64_t spilled =
      outcome.spilled_share + outcome.spilled_bucket + outcome.spilled_cap;
  const bool spilling = applied_share > 0 || spilled > 0 || outcome.observed > 0;
  if (spilling) {
    const bool starts = since_ns_ == 0;
    if (starts) {
      since_ns_ = now_ns;
      flows_ = 0;
      observed_ = spilled == 0 && applied_share == 0;
    }
    flows_ += spilled + outcome.observed;
    quiet_since_ns_ = now_ns;
    if (starts) return start_line(service, outcome, applied_share);
    return std::nullopt;
  }
  if (since_ns_ == 0 || now_ns - quiet_since_ns_ < kQuietNs) return std::nullopt;
  std::string line = end_line(service, now_ns);
  since_ns_ = 0;
  return line;
}

std::string SpillWatch::start_line(const ServiceConfig& service, const ControlOutcome& outcome,
                                   std::uint64_t applied_share) const {
  const char* cause = applied_share > 0 ? "share" : outcome.spilled_cap > 0 ? "cap" : "bucket";
  return fmt::format(
      "{} service={} cause={} share={:.4f} wanted_share={:.4f} arrivals_rps={:.1f} load_rps={:.1f} "
      "capacity_rps={:.1f} by_share={} by_cap={} by_bucket={} observed={}",
      observed_ ? "spill would start" : "spill starts", service.name, cause,
      share_to_fraction(applied_share), share_to_fraction(outcome.wanted_share),
      per_second(outcome.arrivals_mrps), per_second(outcome.load_mrps),
      per_second(outcome.capacity_mrps), outcome.spilled_share, outcome.spilled_cap,
      outcome.spilled_bucket, outcome.observed);
}

std::string SpillWatch::end_line(const ServiceConfig& service, std::uint64_t now_ns) const {
  const double usd =
      static_cast<double>(flows_) * static_cast<double>(price_nanousd(service.price)) / 1e9;
  return fmt::format("{} service={} seconds={:.1f} quiet_seconds={:.1f} flows={} price_usd={:.6f}",
                     observed_ ? "spill would end" : "spill ends", service.name,
                     seconds(quiet_since_ns_ - since_ns_), seconds(now_ns - quiet_since_ns_),
                     flows_, usd);
}

}  // namespace flare
