#include "service/load_report.h"

#include "control/formula.h"

namespace flare {
namespace {

/// A rate over less time would be mostly noise.
constexpr std::uint64_t kRateOverNs = 500'000'000;

}  // namespace

void ReportedLoad::add(const LoadReport& report, std::uint64_t now_ns) {
  at_ns_ = now_ns;
  if (report.in_flight) {
    in_flight_ = *report.in_flight;
    in_flight_at_ns_ = now_ns;
  }
  if (!report.requests) return;
  const bool counts_on =
      from_ && *report.requests >= from_->requests && is_recent(from_->at_ns, now_ns);
  if (!counts_on) {
    // The service was started anew, or was silent: what it did meanwhile is not known.
    from_ = Count{*report.requests, now_ns};
    return;
  }
  if (now_ns - from_->at_ns < kRateOverNs) return;
  mrps_ = rate_mrps(*report.requests - from_->requests, now_ns - from_->at_ns);
  mrps_at_ns_ = now_ns;
  from_ = Count{*report.requests, now_ns};
}

std::optional<std::uint64_t> ReportedLoad::in_flight(std::uint64_t now_ns) const {
  if (!is_recent(in_flight_at_ns_, now_ns)) return std::nullopt;
  return in_flight_;
}

std::optional<std::uint64_t> ReportedLoad::mrps(std::uint64_t now_ns) const {
  if (!is_recent(mrps_at_ns_, now_ns)) return std::nullopt;
  return mrps_;
}

}  // namespace flare
