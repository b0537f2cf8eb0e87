#include "service/spill_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "control/limits.h"
#include "kernel/maps.h"

namespace flare {
namespace {

constexpr std::uint64_t kQuietNs = 5'000'000'000;

double per_second(std::uint64_t mrps) { return static_cast<double>(mrps) / 1e3; }

double seconds(std::uint64_t ns) { return static_cast<double>(ns) / 1e9; }

std::uint64_t sum(const SpillCauses& flows) {
  return std::accumulate(flows.begin(), flows.end(), std::uint64_t{0});
}

/// What most of the flows went for, or would have.
std::uint32_t cause_of(const ControlOutcome& outcome, std::uint64_t applied_share) {
  if (applied_share > 0) return FLARE_SPILL_SHARE;
  const SpillCauses& flows = sum(outcome.spilled) > 0 ? outcome.spilled : outcome.observed;
  return static_cast<std::uint32_t>(std::max_element(flows.begin(), flows.end()) - flows.begin());
}

}  // namespace

std::optional<SpillTurn> SpillWatch::step(const ServiceConfig& service,
                                          const ControlOutcome& outcome,
                                          std::uint64_t applied_share, std::uint64_t now_ns) {
  const std::uint64_t spilled = sum(outcome.spilled);
  const std::uint64_t observed = sum(outcome.observed);
  const bool spilling = applied_share > 0 || spilled > 0 || observed > 0;
  if (spilling) {
    const bool starts = since_ns_ == 0;
    if (starts) {
      since_ns_ = now_ns;
      flows_ = 0;
      observed_ = spilled == 0 && applied_share == 0;
    }
    flows_ += spilled + observed;
    quiet_since_ns_ = now_ns;
    if (!starts) return std::nullopt;
    return SpillTurn{start_line(service, outcome, applied_share),
                     event(FLARE_SPILL_EVENT_START, service, outcome, applied_share, now_ns)};
  }
  if (since_ns_ == 0 || now_ns - quiet_since_ns_ < kQuietNs) return std::nullopt;
  SpillTurn turn{end_line(service, now_ns),
                 event(FLARE_SPILL_EVENT_END, service, outcome, applied_share, now_ns)};
  since_ns_ = 0;
  return turn;
}

flare_spill_event SpillWatch::event(flare_spill_event_kind kind, const ServiceConfig& service,
                                    const ControlOutcome& outcome, std::uint64_t applied_share,
                                    std::uint64_t now_ns) const {
  flare_spill_event made{};
  made.at_ns = now_ns;
  made.arrivals_mrps = outcome.arrivals_mrps;
  made.capacity_mrps = outcome.capacity_mrps;
  made.share = applied_share;
  made.kind = static_cast<__u8>(kind);
  service.name.copy(made.name, sizeof(made.name) - 1);
  if (kind == FLARE_SPILL_EVENT_START) {
    std::copy(outcome.spilled.begin(), outcome.spilled.end(), made.flows);
    made.observed = sum(outcome.observed);
  } else {
    made.flows[0] = flows_;
    made.observed = observed_ ? 1 : 0;
    made.lasted_ns = quiet_since_ns_ - since_ns_;
    made.price_nanousd = flows_ * price_nanousd(service.price);
  }
  return made;
}

std::string SpillWatch::start_line(const ServiceConfig& service, const ControlOutcome& outcome,
                                   std::uint64_t applied_share) const {
  std::string by;
  for (std::uint32_t cause = 0; cause < FLARE_SPILL_CAUSES_COUNT; ++cause) {
    std::string word(spill_cause_word(cause));
    std::replace(word.begin(), word.end(), '-', '_');
    by += fmt::format(" by_{}={}", word, outcome.spilled[cause]);
  }
  return fmt::format(
      "{} service={} cause={} share={:.4f} wanted_share={:.4f} arrivals_rps={:.1f} load_rps={:.1f} "
      "capacity_rps={:.1f}{} observed={}",
      observed_ ? "spill would start" : "spill starts", service.name,
      spill_cause_word(cause_of(outcome, applied_share)), share_to_fraction(applied_share),
      share_to_fraction(outcome.wanted_share), per_second(outcome.arrivals_mrps),
      per_second(outcome.load_mrps), per_second(outcome.capacity_mrps), by, sum(outcome.observed));
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
