#include "eval/report/paper_costs.h"

#include <cstdio>

#include "eval/report/cost.h"
#include "eval/report/cost_targets.h"
#include "eval/report/paper.h"

namespace flare::eval {
namespace {

double peak_p95(const Run& run) { return run.measures.peak_p95_ms; }

/// What the calm time's functions would cost at the same rate for an hour.
double calm_serverless_hour(const Run& run, const lab::Prices& prices) {
  const Spilled& calm = run.measures.spilled_before;
  const double seconds = run.onset_s.value_or(0);
  if (seconds <= 0) return 0;
  return lab::lambda_usd(prices, calm.requests, calm.billed_ms) * 3600 / seconds;
}

double usd_per_request(const Run& run, const lab::Prices& prices) {
  const Spilled& all = run.measures.spilled;
  if (all.requests == 0) return 0;
  return lab::lambda_usd(prices, all.requests, all.billed_ms) / static_cast<double>(all.requests);
}

std::string micro_usd(double usd) {
  char text[40];
  std::snprintf(text, sizeof(text), "%.2f millionths USD", usd * 1e6);
  return text;
}

std::string ratio_text(const Source& source, const Cell& serverless, const Cell& vm) {
  if (!source.results.median(serverless) || !source.results.median(vm)) return "-";
  return text_of(spread_of(source.results, serverless, vm,
                           [&](const Run& run, const Run& base) {
                             return calm_serverless_hour(run, source.prices) /
                                    costs_of(base, source.prices).hour_usd;
                           }),
                 Unit::kTimes);
}

std::string times_text(const Source& source, const Cell& cell, const Cell& base) {
  if (!source.results.median(cell) || !source.results.median(base)) return "-";
  return text_of(
      spread_of(source.results, cell, base,
                [](const Run& run, const Run& other) { return peak_p95(run) / peak_p95(other); }),
      Unit::kTimes);
}

std::string change_text(const Source& source, const Cell& cell, const Cell& base) {
  if (!source.results.median(cell) || !source.results.median(base)) return "-";
  return text_of(spread_of(source.results, cell, base,
                           [](const Run& run, const Run& other) {
                             return peak_p95(run) / peak_p95(other) - 1;
                           }),
                 Unit::kSignedPercent);
}

using Extra = Spread (*)(const Results&, const lab::Prices&, const Cell&, const Cell&);

std::string extra_text(const Source& source, const Cell& cell, const Cell& base, Extra extra) {
  if (!source.results.median(cell) || !source.results.median(base)) return "-";
  return text_of(extra(source.results, source.prices, cell, base), Unit::kSignedPercent);
}

/// Nothing was over the objective: there is nothing to recover from, which is 0 s.
double recovery_s(const Run& run) {
  if (!run.measures.recovery.needed) return 0;
  return run.measures.recovery.after_s ? *run.measures.recovery.after_s : kNeverMs;
}

std::string recovery_text(const Source& source, const Cell& cell) {
  if (source.results.median(cell) == nullptr) return "-";
  return text_of(spread_of(source.results, cell, recovery_s), Unit::kSeconds);
}

}  // namespace

Table figure_four(const Source& source) {
  const Cell serverless = cell_of_paper("bookinfo", "serverless-only");
  const Cell vm = cell_of_paper("bookinfo", "vm-only");
  const auto calm_p95 = [](const Run& run) { return run.measures.pre_p95_ms; };
  const std::string per_hour = " USD an hour";
  const auto ours = [&](const Cell& cell, Unit unit, const Figure& figure) {
    return figure_text(source, cell, unit, figure);
  };
  return {
      "figure-4",
      "Figure 4: serverless alone against VMs at the calm load, BookInfo",
      "Ours is the time before the onset, scaled to an hour, with the fee for each request; the "
      "paper's cost a request suggests that it leaves the fee out.",
      {"measure", "paper", "ours"},
      {{"serverless, an hour of calm load", text_of(paper::kFig4ServerlessUsd, Unit::kUsd),
        ours(serverless, Unit::kUsd,
             [&](const Run& run) { return calm_serverless_hour(run, source.prices); })},
       {"VMs, an hour", text_of(paper::kFig4VmUsd, Unit::kUsd),
        ours(vm, Unit::kUsd,
             [&](const Run& run) { return costs_of(run, source.prices).hour_usd; })},
       {"serverless over VMs", text_of(paper::kFig4Ratio, Unit::kTimes),
        ratio_text(source, serverless, vm)},
       {"a request to serverless", micro_usd(paper::kFig4UsdPerRequest) + " (derived)",
        source.results.median(serverless)
            ? micro_usd(usd_per_request(*source.results.median(serverless), source.prices))
            : "-"},
       {"calm P95, serverless", text_of(paper::kFig4ServerlessP95Ms, Unit::kMs),
        ours(serverless, Unit::kMs, calm_p95)},
       {"calm P95, VMs", text_of(paper::kFig4VmP95Ms, Unit::kMs), ours(vm, Unit::kMs, calm_p95)},
       {"peak P95 of the spike, serverless", "stable", ours(serverless, Unit::kMs, peak_p95)}}};
}

Table figure_seven(const Source& source) {
  Table table = {
      "figure-7",
      "Figure 7: cost against VM-only and against over-provisioning",
      "(a) is the paper's accounting: the calm fleet's hour and what was spilled, over the calm "
      "fleet's hour (or that of the fleet of twice the size). The paper's over-provisioned fleet "
      "costs 2.00x its baseline, so nodes that the autoscaler adds are not in it. (b) is every "
      "node-second of the run and what was spilled; nodes are given back minutes after the run, "
      "which is not in it.",
      {"application", "policy", "(a) over VM-only, paper", "(a) over VM-only, ours",
       "(b) over VM-only, ours", "(a) over over-provisioned, ours"},
      {}};
  table.rows.push_back(
      {"average of three", "Flare, paper", text_of(paper::kFig7Average, Unit::kSignedPercent), "-",
       "-", text_of(paper::kFig7AgainstOverProvisioned, Unit::kSignedPercent) + " (paper)"});
  for (const paper::Cost& told : paper::kFig7) {
    for (const std::string_view policy : {"l7-lag", "l7", "formula", "cap", "over-provisioned"}) {
      const Cell cell = cell_of_paper(told.profile, policy);
      if (source.results.median(cell) == nullptr) continue;
      const bool doubled = policy == "over-provisioned";
      const double by_paper =
          doubled ? paper::kFig7OverProvisionedTimesBase - 1 : told.flare_over_base;
      const Cell base = cell.with_policy("vm-only");
      table.rows.push_back(
          {std::string(meaning_of(told.profile)), std::string(policy_of(policy).label),
           text_of(by_paper, Unit::kSignedPercent) + (doubled ? " (derived)" : ""),
           extra_text(source, cell, base, extra_by_paper),
           extra_text(source, cell, base, extra_by_node_seconds),
           doubled
               ? "-"
               : extra_text(source, cell, cell.with_policy("over-provisioned"), extra_by_paper)});
    }
  }
  return table;
}

Table figure_eight(const Source& source) {
  const Cell warm = cell_of_paper("bookinfo", "cap");
  Cell cold = warm;
  cold.functions = "cold";
  const Cell base = warm.with_policy("vm-only");
  return {
      "figure-8",
      "Figure 8: warm and cold functions, BookInfo",
      "Ours is cap. Recovery is from the onset to the first second from which ten are under the "
      "objective; 0 s where none was over it.",
      {"measure", "paper", "ours"},
      {{"peak P95 against VM-only, warm", text_of(paper::kFig8WarmReduction, Unit::kSignedPercent),
        change_text(source, warm, base)},
       {"peak P95 against VM-only, cold", "-", change_text(source, cold, base)},
       {"peak P95, cold over warm", text_of(paper::kFig8ColdToWarm, Unit::kTimes),
        times_text(source, cold, warm)},
       {"recovery, warm",
        text_of(paper::kFig8RecoveryS.least, Unit::kSeconds) + " to " +
            text_of(paper::kFig8RecoveryS.most, Unit::kSeconds) + " (absorbed in " +
            text_of(paper::kFig8WarmAbsorbedS, Unit::kSeconds) + ")",
        recovery_text(source, warm)},
       {"recovery, cold",
        text_of(paper::kFig8RecoveryS.least, Unit::kSeconds) + " to " +
            text_of(paper::kFig8RecoveryS.most, Unit::kSeconds),
        recovery_text(source, cold)},
       {"recovery, VM-only", text_of(paper::kFig8VmOnlyRecoveryS, Unit::kSeconds),
        recovery_text(source, base)}}};
}

}  // namespace flare::eval
