// From the records of a run to its figures: by second of the intended start, and in all.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "load/record.h"

namespace flare::lab {

/// Percentiles in milliseconds; nothing where the rank falls on a request that was never answered,
/// or where there are no requests.
struct Latencies {
  std::optional<double> p50_ms;
  std::optional<double> p95_ms;
  std::optional<double> p99_ms;
};

/// Nearest-rank percentiles of raw latencies, kNever being infinitely late.
Latencies latencies_of(std::vector<std::uint32_t> samples_us);

/// What the requests of one second of intended starts, or of a whole run, came to.
struct Tally {
  std::uint64_t requests = 0;
  std::uint64_t vm = 0;  ///< answered with status 200, by tier
  std::uint64_t serverless = 0;
  std::uint64_t unknown = 0;
  std::uint64_t failed = 0;
  std::uint64_t over_objective = 0;        ///< later than the objective, the failed ones included
  std::uint64_t serverless_billed_ms = 0;  ///< service time, each rounded up to a millisecond
  std::map<std::string, std::uint64_t> failures;  ///< by the outcome's word
  Latencies latencies;
};

/// The worst second and the number of bad ones.
struct Peaks {
  std::optional<double> p50_ms;  ///< nothing: a second's percentile is infinite
  std::optional<double> p95_ms;
  std::optional<double> p95_5s_ms;  ///< of bins of five seconds
  int seconds_p50_over = 0;
  int seconds_p95_over = 0;
};

struct Summary {
  Tally total;    ///< of the requests with an intended start from second 0 on
  Tally lead_in;  ///< of those before
  std::vector<Tally> seconds;
  std::vector<std::int64_t> in_flight;  ///< at the end of each second
  Peaks peaks;
};

struct SummaryConfig {
  int seconds = 0;            ///< of the run, without the lead-in
  double objective_ms = 400;  ///< the service's objective for P95
  std::int64_t timeout_ns = 10'000'000'000;
};

Summary summarise(std::span<const RequestRecord> records, const SummaryConfig& config);

/// How late the generator itself was: from the intended start to the attempt to send.
struct Lateness {
  double p50_ms = 0;
  double p99_ms = 0;
  double max_ms = 0;
};

Lateness lateness_of(std::vector<std::uint32_t> lateness_us);

/// The summary as in tools/lab/README.md, without what the caller knows better.
nlohmann::json to_json(const Summary& summary);

}  // namespace flare::lab
