#include "eval/report/targets.h"

#include <algorithm>

#include "eval/report/cost_targets.h"
#include "eval/report/paper.h"
#include "eval/report/target_parts.h"

namespace flare::eval {
namespace {

constexpr double kReduction = -0.85;
constexpr double kWarmPeakMs = 200;
constexpr double kColdSeconds = 1;
constexpr double kOverShare = 0.001;
constexpr double kColdToWarm = 1.19;
constexpr double kBaselineLeastS = 80;
constexpr double kBaselineMostS = 140;
constexpr double kFalseSpill = 0.0001;

double peak_p95(const Run& run) { return run.measures.peak_p95_ms; }
double p95_seconds(const Run& run) { return run.measures.p95_over.seconds; }
double p50_seconds(const Run& run) { return run.measures.p50_over.seconds; }

Target peak_target(const Results& results) {
  Target target = {"T1",
                   "peak P95, spilling against VM-only, closed-loop client",
                   std::string(paper::kT1),
                   "−85 % or better; peak under 200 ms, warm functions",
                   "The worst second's P95 of cap over that of VM-only, less 1.",
                   {}};
  ask(target, results, {}, {"vm-only"}, [&](const Cell& cell) {
    const Cell base = cell.with_policy("vm-only");
    const Spread change = spread_of(results, cell, base, [](const Run& run, const Run& other) {
      return peak_p95(run) / peak_p95(other) - 1;
    });
    const Spread peak = spread_of(results, cell, peak_p95);
    const bool holds = change.median <= kReduction && peak.median < kWarmPeakMs;
    return judged(cell, change, Unit::kSignedPercent, holds,
                  text_of(change, Unit::kSignedPercent) + "; peak " + text_of(peak, Unit::kMs) +
                      " against " + text_of(spread_of(results, base, peak_p95), Unit::kMs));
  });
  return target;
}

/// Asks for seconds over the objective, at most `most`.
void ask_seconds(Target& target, const Results& results, const Asked& asked, const Figure& figure,
                 double most) {
  ask(target, results, asked, {}, [&](const Cell& cell) {
    const Spread seconds = spread_of(results, cell, figure);
    return judged(cell, seconds, Unit::kSeconds, seconds.median <= most,
                  text_of(seconds, Unit::kSeconds));
  });
}

Target p95_target(const Results& results) {
  Target target = {
      "T2",
      "seconds with P95 over 400 ms, closed-loop client",
      std::string(paper::kT2),
      "0 s warm; at most 1 s cold",
      "Seconds of intended starts whose nearest-rank P95 is over the objective, in the "
      "whole run of cap.",
      {}};
  ask_seconds(target, results, {}, p95_seconds, 0);
  ask_seconds(target, results, {.functions = "cold"}, p95_seconds, kColdSeconds);
  return target;
}

Target p50_target(const Results& results) {
  Target target = {"T3",
                   "seconds with P50 over 400 ms",
                   std::string(paper::kT3),
                   "0 s",
                   "The same as T2 for the P50, functions warm and cold, clients of both kinds.",
                   {}};
  ask_seconds(target, results, {.open_too = true}, p50_seconds, 0);
  ask_seconds(target, results, {.functions = "cold", .open_too = true}, p50_seconds, 0);
  return target;
}

Target share_target(const Results& results) {
  Target target = {
      "T4",
      "share of requests over the objective in the spike",
      std::string(paper::kT4),
      "at most 0.1 % warm",
      "Of the requests of cap that were to start from the onset to 150 s after it, those "
      "later than the objective or never answered.",
      {}};
  ask(target, results, {.open_too = true}, {}, [&](const Cell& cell) {
    const Spread share =
        spread_of(results, cell, [](const Run& run) { return run.measures.over_share; });
    const int window = results.median(cell)->measures.window_s;
    std::string words = text_of(share, Unit::kPercent);
    if (window < kWindowSeconds) {
      words += "; the run has " + std::to_string(window) + " s after the onset";
    }
    return judged(cell, share, Unit::kPercent, share.median <= kOverShare, words);
  });
  return target;
}

Target cold_target(const Results& results) {
  Target target = {"T7",
                   "peak P95 with cold functions over that with warm ones",
                   std::string(paper::kT7),
                   "at most 1.19x",
                   "The worst second's P95 of cap with cold functions over that with warm ones.",
                   {}};
  ask(target, results, {.functions = "cold"}, {}, [&](const Cell& cell) {
    Cell warm = cell;
    warm.functions = "warm";
    if (results.median(warm) == nullptr) return unmeasured(cell, results.why_missing(warm));
    const Spread times = spread_of(results, cell, warm, [](const Run& run, const Run& base) {
      return peak_p95(run) / peak_p95(base);
    });
    return judged(cell, times, Unit::kTimes, times.median <= kColdToWarm,
                  text_of(times, Unit::kTimes) + "; " +
                      text_of(peak_p95(*results.median(cell)), Unit::kMs) + " cold, " +
                      text_of(peak_p95(*results.median(warm)), Unit::kMs) + " warm");
  });
  return target;
}

Target baseline_target(const Results& results) {
  Target target = {"T8",
                   "seconds with P95 over 400 ms of VM-only, closed-loop client",
                   std::string(paper::kT8),
                   "80 to 140 s: our baseline is the paper's",
                   "As T2, of VM-only.",
                   {}};
  ask(
      target, results, {}, {},
      [&](const Cell& cell) {
        const Spread seconds = spread_of(results, cell, p95_seconds);
        const bool holds = seconds.median >= kBaselineLeastS && seconds.median <= kBaselineMostS;
        std::string words = text_of(seconds, Unit::kSeconds);
        if (results.median(cell)->measures.over_at_end) words += "; still over when the run ended";
        return judged(cell, seconds, Unit::kSeconds, holds, words);
      },
      "vm-only");
  return target;
}

Target steady_target(const Results& results) {
  Target target = {"T9",
                   "requests spilled while the load is 0.8 of capacity",
                   std::string(paper::kT9),
                   "under 0.01 %",
                   "Requests of cap that serverless answered, over all requests, summed over the "
                   "valid runs.",
                   {}};
  ask(target, results, {.scenario = "steady", .open_too = true}, {}, [&](const Cell& cell) {
    double spilled = 0;
    double requests = 0;
    for (const Run* run : results.valid_runs(cell)) {
      spilled += static_cast<double>(run->measures.spilled.requests);
      requests += static_cast<double>(run->measures.requests);
    }
    Spread share = spread_of(results, cell, [](const Run& run) {
      return static_cast<double>(run.measures.spilled.requests) /
             static_cast<double>(std::max<std::uint64_t>(run.measures.requests, 1));
    });
    share.median = requests > 0 ? spilled / requests : 0;
    return judged(cell, share, Unit::kPercent, requests > 0 && share.median < kFalseSpill,
                  text_of(share, Unit::kPercent) + "; " + text_of(spilled, Unit::kCount) + " of " +
                      text_of(requests, Unit::kCount) + " requests");
  });
  return target;
}

std::string spill_words(const Run& run) {
  const auto& spill = run.measures.first_spill;
  if (!run.measures.excess_began_s) return "no excess";
  if (!spill) return "nothing spilled";
  return "the first spilled is arrival " + text_of(static_cast<double>(spill->rank), Unit::kCount) +
         " of the excess, with " + text_of(spill->excess, Unit::kCount) +
         " requests more than capacity";
}

Target first_target(const Results& results) {
  Target target = {
      "T10",
      "connections late once the VM tier is full",
      std::string(paper::kT10),
      "0: the first connection that finds no room is spilled",
      "The datapath's own count of new flows left to the VM tier with the cap reached "
      "(over_cap), the most of the valid runs; beside it, from the log, the rank of the "
      "first spilled request among the arrivals of the excess.",
      {}};
  ask(target, results, {.open_too = true}, {}, [&](const Cell& cell) {
    for (const Run* run : results.valid_runs(cell)) {
      if (run->over_cap) continue;
      return unmeasured(cell, cell.name() + " has no service.json in repetition " +
                                  std::to_string(run->repetition));
    }
    const Spread late =
        spread_of(results, cell, [](const Run& run) { return static_cast<double>(*run.over_cap); });
    return judged(cell, late, Unit::kCount, late.most == 0,
                  text_of(late, Unit::kCount) + "; " + spill_words(*results.median(cell)));
  });
  return target;
}

Target wrong_target(const Results& results) {
  Target target = {"T11",
                   "capacity believed 20 % too high; VMs 2x slower with no change of load",
                   std::string(paper::kT11),
                   "0 s with P95 over 400 ms in both",
                   "As T2, of cap in the scenarios believed-20-high and slow-vms.",
                   {}};
  ask_seconds(target, results, {.scenario = "believed-20-high", .open_too = true}, p95_seconds, 0);
  ask_seconds(target, results, {.scenario = "slow-vms", .open_too = true}, p95_seconds, 0);
  return target;
}

}  // namespace

std::string_view to_word(Verdict verdict) {
  constexpr std::string_view kWords[] = {"pass", "FAIL", "not measured"};
  return kWords[static_cast<int>(verdict)];
}

Verdict Target::verdict() const {
  const auto any = [this](Verdict what) {
    return std::ranges::find(parts, what, &Part::verdict) != parts.end();
  };
  if (any(Verdict::kFail)) return Verdict::kFail;
  if (parts.empty() || any(Verdict::kNotMeasured)) return Verdict::kNotMeasured;
  return Verdict::kPass;
}

std::vector<Target> targets_of(const Results& results, const lab::Prices& prices) {
  return {peak_target(results),  p95_target(results),          p50_target(results),
          share_target(results), hour_target(results, prices), doubled_target(results, prices),
          cold_target(results),  baseline_target(results),     steady_target(results),
          first_target(results), wrong_target(results)};
}

}  // namespace flare::eval
