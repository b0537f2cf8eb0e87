// From the requests of a run to its figures, as docs/evaluation defines them. Pure functions.
// Times are milliseconds or seconds as named; what was never answered is infinitely late.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "load/record.h"
#include "load/summary.h"

namespace flare::eval {

constexpr double kNeverMs = std::numeric_limits<double>::infinity();
constexpr int kWindowSeconds = 150;    ///< after the onset, for the share over the objective
constexpr int kBridgedSeconds = 2;     ///< a gap of so many good seconds does not end a violation
constexpr int kRecoveredSeconds = 10;  ///< so many good seconds in a row are a recovery
constexpr int kTailSeconds = 10;       ///< the end of the run, which shows whether spilling is over

/// What a run is measured by.
struct MeasureTerms {
  int seconds = 0;
  int onset_s = 0;  ///< the spike's, or that of what else happens; `seconds` where nothing does
  double objective_ms = 400;
  double capacity_rps = 0;  ///< the true one, of the calm fleet
  double timeout_s = 10;
};

/// Seconds whose percentile is over the objective.
struct Violation {
  int seconds = 0;
  int longest = 0;  ///< from the first to the last second of the longest, gaps bridged
};

/// When it was over: seconds from the onset to the first second from which ten are good.
struct Recovery {
  bool needed = false;         ///< a second from the onset on was over the objective
  std::optional<int> after_s;  ///< nothing: not within the run
};

/// The first spilled request after the excess began.
struct FirstSpill {
  double second = 0;       ///< of the run, its intended start
  std::uint64_t rank = 0;  ///< among the arrivals since the excess began, from 1
  double excess = 0;       ///< requests beyond capacity that had arrived by then
};

/// Requests and what their functions cost.
struct Spilled {
  std::uint64_t requests = 0;
  std::uint64_t billed_ms = 0;
};

/// One second of the run, by intended start; what is open is at its end, by tier.
struct SeriesSecond {
  std::uint64_t requests = 0;
  std::uint64_t vm = 0;
  std::uint64_t serverless = 0;
  std::uint64_t failed = 0;
  double p50_ms = 0;  ///< 0 where there are no requests
  double p95_ms = 0;
  std::int64_t vm_open = 0;  ///< with those that were never answered
  std::int64_t serverless_open = 0;

  /// The percentage that serverless answered.
  double share() const {
    return requests == 0 ? 0
                         : 100.0 * static_cast<double>(serverless) / static_cast<double>(requests);
  }
};

struct Measures {
  std::uint64_t requests = 0;
  std::uint64_t failed = 0;
  Spilled spilled;
  Spilled spilled_before;             ///< the onset
  std::uint64_t requests_before = 0;  ///< the onset
  std::uint64_t spilled_in_tail = 0;  ///< in the run's last ten seconds
  double peak_p50_ms = 0;
  double peak_p95_ms = 0;
  double peak_p95_5s_ms = 0;
  double pre_p50_ms = 0;  ///< of all requests before the onset; 0 where there are none
  double pre_p95_ms = 0;
  Violation p50_over;
  Violation p95_over;
  int p95_over_5s = 0;       ///< seconds in bins of five seconds
  double over_share = 0;     ///< of the requests from the onset to +150 s, 0..1
  int window_s = 0;          ///< how much of the 150 s the run has
  bool over_at_end = false;  ///< the last second is over the objective: the violation goes on
  Recovery recovery;
  std::optional<double> excess_began_s;  ///< nothing: no excess beyond chance
  std::optional<FirstSpill> first_spill;
  std::vector<SeriesSecond> series;
};

Measures measure(std::span<const lab::RequestRecord> records, const MeasureTerms& terms);

Violation violation_of(const std::vector<bool>& over);
Recovery recovery_of(const std::vector<bool>& over, int onset_s);

}  // namespace flare::eval
