#include "eval/report/cost_targets.h"

#include "eval/report/cost.h"
#include "eval/report/paper.h"
#include "eval/report/target_parts.h"

namespace flare::eval {
namespace {

constexpr double kHourExtra = 0.025;
constexpr double kAgainstDoubled = -0.48;

std::string both_ways(const Spread& by_paper, const Spread& by_node_seconds) {
  return "(a) " + text_of(by_paper, Unit::kSignedPercent) + "; (b) every node-second of the run " +
         text_of(by_node_seconds, Unit::kSignedPercent);
}

/// Where spilling is not over when the run ends, the hour's costs more than the run's.
std::string tail_words(const Run& run) {
  const std::uint64_t still = run.measures.spilled_in_tail;
  if (still == 0) return "";
  return "; " + text_of(static_cast<double>(still), Unit::kCount) +
         " still spilled in the last 10 s, so the hour costs more";
}

}  // namespace

Spread extra_by_paper(const Results& results, const lab::Prices& prices, const Cell& cell,
                      const Cell& base) {
  return spread_of(results, cell, base, [&](const Run& run, const Run& other) {
    return extra_by_paper(costs_of(run, prices), costs_of(other, prices));
  });
}

Spread extra_by_node_seconds(const Results& results, const lab::Prices& prices, const Cell& cell,
                             const Cell& base) {
  return spread_of(results, cell, base, [&](const Run& run, const Run& other) {
    return extra_by_node_seconds(costs_of(run, prices), costs_of(other, prices));
  });
}

Target hour_target(const Results& results, const lab::Prices& prices) {
  Target target = {
      "T5",
      "serverless cost over the VM-only cost of the hour",
      std::string(paper::kT5),
      "at most +2.5 %, and less than the formula",
      "(a) as the paper: the calm fleet's hour and what cap spilled in the run, over the "
      "calm fleet's hour of VM-only; this is what is judged.",
      {}};
  ask(target, results, {}, {"vm-only"}, [&](const Cell& cell) {
    const Cell base = cell.with_policy("vm-only");
    const Cell formula = cell.with_policy("formula");
    const Spread extra = extra_by_paper(results, prices, cell, base);
    std::string words = both_ways(extra, extra_by_node_seconds(results, prices, cell, base));
    words += tail_words(*results.median(cell));
    if (results.median(formula) == nullptr) {
      Part part = judged(cell, extra, Unit::kSignedPercent, extra.median <= kHourExtra,
                         words + "; " + results.why_missing(formula));
      // Without the formula's figure it can fail, but not pass.
      if (part.verdict == Verdict::kPass) part.verdict = Verdict::kNotMeasured;
      return part;
    }
    const Spread theirs = extra_by_paper(results, prices, formula, base);
    return judged(cell, extra, Unit::kSignedPercent,
                  extra.median <= kHourExtra && extra.median < theirs.median,
                  words + "; the formula " + text_of(theirs, Unit::kSignedPercent));
  });
  return target;
}

Target doubled_target(const Results& results, const lab::Prices& prices) {
  Target target = {
      "T6",
      "cost against over-provisioning by 2x",
      std::string(paper::kT6),
      "−48 % or better, by the same accounting",
      "(a) as the paper: the calm fleet's hour and what cap spilled, over the hour of the "
      "over-provisioned fleet; this is what is judged.",
      {}};
  ask(target, results, {}, {"over-provisioned"}, [&](const Cell& cell) {
    const Cell base = cell.with_policy("over-provisioned");
    const Spread change = extra_by_paper(results, prices, cell, base);
    return judged(cell, change, Unit::kSignedPercent, change.median <= kAgainstDoubled,
                  both_ways(change, extra_by_node_seconds(results, prices, cell, base)));
  });
  return target;
}

}  // namespace flare::eval
