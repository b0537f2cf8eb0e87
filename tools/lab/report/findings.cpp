#include "report/findings.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace flare::lab {
namespace {

constexpr double kWithoutMs = 1000;  ///< without Flare, P95 passes this
constexpr double kSpillTolerance = 0.25;

template <typename... Args>
std::string text(const char* format, Args... args) {
  char line[200];
  std::snprintf(line, sizeof(line), format, args...);
  return line;
}

}  // namespace

Findings findings_of(const RunSummary& run, const Terms& terms) {
  Findings findings;
  int second = 0;
  for (const RunSecond& seen : run.seconds) {
    findings.excess += std::max(0.0, static_cast<double>(seen.requests) - terms.capacity_rps);
    if (second++ < terms.calm_until) findings.spilled_calm += seen.serverless;
  }
  findings.spilled_calm += run.lead_in_serverless;
  if (findings.excess > 0) {
    findings.spilled_to_excess = static_cast<double>(run.serverless) / findings.excess;
  }
  findings.usd = lambda_usd(terms.prices, run.serverless, run.serverless_billed_ms);
  return findings;
}

std::vector<Check> checks_of(const RunSummary& without, const RunSummary& with,
                             const Terms& terms) {
  const Findings findings = findings_of(with, terms);
  const bool near_excess =
      findings.spilled_to_excess && std::abs(*findings.spilled_to_excess - 1) <= kSpillTolerance;
  return {
      {"without_passes_1s", text("%s, P95 passes %.0f ms", without.label.c_str(), kWithoutMs),
       !without.peak_p95_ms || *without.peak_p95_ms > kWithoutMs},
      {"with_under_objective",
       text("%s, P95 stays under %.0f ms", with.label.c_str(), terms.objective_ms),
       with.peak_p95_ms && *with.peak_p95_ms < terms.objective_ms},
      {"with_no_failures", text("%s, no request fails", with.label.c_str()),
       with.failed == 0 && with.lead_in_failed == 0},
      {"spilled_near_excess",
       text("spilled is within %.0f %% of the true excess", 100 * kSpillTolerance), near_excess},
      {"calm_spills_nothing", "nothing is spilled in the calm part", findings.spilled_calm == 0},
      {"runs_valid", "the generator kept its schedule in both runs",
       !without.is_void && !with.is_void},
  };
}

}  // namespace flare::lab
