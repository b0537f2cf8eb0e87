// T1 to T11 and cost, on results of a few runs with figures computed by hand.
#include "eval/report/targets.h"

#include <gtest/gtest.h>

#include "eval/report/cost.h"
#include "made_results.h"

namespace flare::eval {
namespace {

using lab::Tier;

const std::string kGroup = "bookinfo.spike.users.new.warm.";

/// Twenty seconds of 20 requests at 100 ms, and 20 more in second 9 that take `peak_ms`.
MadeRun run_of(const std::string& cell, double peak_ms, int repetition = 1) {
  MadeRun run;
  run.cell = cell;
  run.repetition = repetition;
  run.requests = seconds_with(20, {});
  eval::add(run.requests, 9, 20, peak_ms);
  return run;
}

/// `requests` of a run made serverless, of 84 ms of work each.
void spill(MadeRun& run, std::size_t requests) {
  for (std::size_t i = 0; i < requests; ++i) {
    run.requests.at(i).tier = Tier::kServerless;
    run.requests.at(i).work_us = 84'000;
  }
}

Target target_of(const MadeResults& made, const std::string& id) {
  const auto results = made.read();
  EXPECT_TRUE(results) << results.error().message();
  for (Target& target : targets_of(*results, lab::Prices{})) {
    if (target.id == id) return target;
  }
  ADD_FAILURE() << "no " << id;
  return {};
}

TEST(Costs, AreThePapersAndEveryNodeSecond) {
  const MadeResults made({});
  MadeRun base = run_of(kGroup + "vm-only", 100);
  base.node_seconds = 3600;
  MadeRun cap = run_of(kGroup + "cap", 100);
  cap.node_seconds = 7200;
  spill(cap, 100);
  made.add(base);
  made.add(cap);
  const auto results = made.read();
  ASSERT_TRUE(results);
  const lab::Prices prices;
  const Costs calm = costs_of(*results->median(*parse_cell(base.cell)), prices);
  const Costs costs = costs_of(*results->median(*parse_cell(cap.cell)), prices);
  // 100 x 84 ms: 8.4 s x 1.727539 GB x 1.66667e-5 USD + 100 x 2e-7 USD.
  EXPECT_NEAR(costs.serverless_usd, 0.000241856 + 0.00002, 1e-9);
  // Four nodes at second 0 for an hour, whatever came later.
  EXPECT_NEAR(costs.hour_usd, 4 * 0.1670, 1e-12);
  EXPECT_NEAR(costs.nodes_usd, 2 * 0.1670, 1e-12);
  EXPECT_NEAR(extra_by_paper(costs, calm), 0.000261856 / 0.668, 1e-9);
  EXPECT_NEAR(extra_by_node_seconds(costs, calm), (0.334 + 0.000261856) / 0.167 - 1, 1e-9);
}

TEST(Targets, FirstWantsBothTheReductionAndThePeak) {
  const auto verdict = [](double cap_ms, double base_ms) {
    const MadeResults made({});
    made.add(run_of(kGroup + "cap", cap_ms));
    made.add(run_of(kGroup + "vm-only", base_ms));
    return target_of(made, "T1").verdict();
  };
  EXPECT_EQ(verdict(150, 1000), Verdict::kPass) << "exactly 85 % less";
  EXPECT_EQ(verdict(151, 1000), Verdict::kFail);
  EXPECT_EQ(verdict(200, 9000), Verdict::kFail) << "200 ms is not under 200 ms";
  EXPECT_EQ(verdict(199, 9000), Verdict::kPass);
}

TEST(Targets, MedianRunIsJudgedWithLeastAndMostBesideIt) {
  const MadeResults made({});
  const double peaks[] = {120, 150, 700};
  for (int i = 0; i < 3; ++i) {
    made.add(run_of(kGroup + "cap", peaks[i], i + 1));
    made.add(run_of(kGroup + "vm-only", 1000 + i, i + 1));
  }
  const Target target = target_of(made, "T1");
  EXPECT_EQ(target.verdict(), Verdict::kPass);
  ASSERT_EQ(target.parts.size(), 1U);
  ASSERT_TRUE(target.parts[0].spread);
  EXPECT_NEAR(target.parts[0].spread->median, 150.0 / 1001 - 1, 1e-9);
  EXPECT_NEAR(target.parts[0].spread->least, 120.0 / 1000 - 1, 1e-9);
  EXPECT_NEAR(target.parts[0].spread->most, 700.0 / 1002 - 1, 1e-9);
  EXPECT_NE(target.parts[0].words.find("peak 150 ms (120 to 700)"), std::string::npos)
      << target.parts[0].words;
}

TEST(Targets, MissingCellIsNotMeasuredAndNamed) {
  const MadeResults made({kGroup + "cap", kGroup + "vm-only"});
  made.add(run_of(kGroup + "cap", 100));
  const Target target = target_of(made, "T1");
  EXPECT_EQ(target.verdict(), Verdict::kNotMeasured);
  EXPECT_EQ(target.parts.at(0).words, kGroup + "vm-only has no run");
  EXPECT_FALSE(target.parts.at(0).spread);
}

TEST(Targets, WhatTheMatrixLacksIsNotMeasured) {
  const MadeResults made({});
  made.add(run_of(kGroup + "cap", 100));
  // T2 passes warm, but nothing was cold.
  const Target target = target_of(made, "T2");
  ASSERT_EQ(target.parts.size(), 2U);
  EXPECT_EQ(target.parts[0].verdict, Verdict::kPass);
  EXPECT_EQ(target.parts[1].verdict, Verdict::kNotMeasured);
  EXPECT_EQ(target.verdict(), Verdict::kNotMeasured);
}

TEST(Targets, OneSecondOverFailsWarmAndNotCold) {
  const MadeResults made({});
  made.add(run_of(kGroup + "cap", 500));
  made.add(run_of("bookinfo.spike.users.new.cold.cap", 500));
  const Target target = target_of(made, "T2");
  ASSERT_EQ(target.parts.size(), 2U);
  EXPECT_EQ(target.parts[0].verdict, Verdict::kFail);
  EXPECT_EQ(target.parts[1].verdict, Verdict::kPass);
  EXPECT_EQ(target.verdict(), Verdict::kFail);
}

TEST(Targets, HourNeedsTheFormulaToPassAndNotToFail) {
  const auto verdict = [](std::size_t cap, std::optional<std::size_t> formula) {
    const MadeResults made({});
    made.add(run_of(kGroup + "vm-only", 1000));
    MadeRun ours = run_of(kGroup + "cap", 100);
    spill(ours, cap);
    made.add(ours);
    if (formula) {
      MadeRun theirs = run_of(kGroup + "formula", 100);
      spill(theirs, *formula);
      made.add(theirs);
    }
    return target_of(made, "T5").verdict();
  };
  EXPECT_EQ(verdict(100, 200), Verdict::kPass);
  EXPECT_EQ(verdict(200, 100), Verdict::kFail) << "more than the formula";
  EXPECT_EQ(verdict(100, std::nullopt), Verdict::kNotMeasured);
}

TEST(Targets, HourOverTwoAndAHalfPercentFails) {
  // A fleet of one node: 0.167 USD an hour, 2.5 % are 0.004175 USD or 1,594 requests.
  for (const int spilled : {1590, 1600}) {
    const MadeResults made({});
    for (const std::string policy : {"vm-only", "cap", "formula"}) {
      MadeRun run = run_of(kGroup + policy, 100);
      run.nodes = 1;
      for (int second = 0; second < 20; ++second) eval::add(run.requests, second, 100, 100);
      if (policy != "vm-only") spill(run, static_cast<std::size_t>(spilled));
      if (policy == "formula") spill(run, static_cast<std::size_t>(spilled) + 100);
      made.add(run);
    }
    EXPECT_EQ(target_of(made, "T5").verdict(), spilled == 1590 ? Verdict::kPass : Verdict::kFail);
  }
}

TEST(Targets, HourSaysThatSpillingWasNotOver) {
  for (const int last : {9, 10}) {
    const MadeResults made({});
    made.add(run_of(kGroup + "vm-only", 1000));
    MadeRun ours = run_of(kGroup + "cap", 100);
    eval::add(ours.requests, last, 3, 100, Tier::kServerless, 84'000);
    made.add(ours);
    const std::string words = target_of(made, "T5").parts.at(0).words;
    EXPECT_EQ(words.find("3 still spilled") != std::string::npos, last == 10) << words;
  }
}

TEST(Targets, DoubledFleetIsComparedByTheSameAccounting) {
  const MadeResults made({});
  MadeRun doubled = run_of(kGroup + "over-provisioned", 100);
  doubled.nodes = 8;
  doubled.node_seconds = 160;
  made.add(doubled);
  MadeRun ours = run_of(kGroup + "cap", 100);
  spill(ours, 100);
  made.add(ours);
  const Target target = target_of(made, "T6");
  EXPECT_EQ(target.verdict(), Verdict::kPass);
  EXPECT_NEAR(target.parts.at(0).spread->median, (0.668 + 0.000261856) / 1.336 - 1, 1e-9);
}

TEST(Targets, ColdIsComparedWithWarm) {
  const MadeResults made({});
  made.add(run_of(kGroup + "cap", 200));
  made.add(run_of("bookinfo.spike.users.new.cold.cap", 240));
  const Target target = target_of(made, "T7");
  EXPECT_EQ(target.verdict(), Verdict::kFail);
  EXPECT_DOUBLE_EQ(target.parts.at(0).spread->median, 1.2);
}

TEST(Targets, BaselineMustBeBadEnough) {
  const auto verdict = [](int late) {
    const MadeResults made({});
    MadeRun run;
    run.cell = kGroup + "vm-only";
    run.seconds = 160;
    std::vector<int> seconds;
    for (int i = 0; i < late; ++i) seconds.push_back(5 + i);
    run.requests = seconds_with(160, seconds);
    made.add(run);
    return target_of(made, "T8").verdict();
  };
  EXPECT_EQ(verdict(79), Verdict::kFail);
  EXPECT_EQ(verdict(80), Verdict::kPass);
  EXPECT_EQ(verdict(140), Verdict::kPass);
  EXPECT_EQ(verdict(141), Verdict::kFail);
}

TEST(Targets, FalseSpillIsSummedOverTheRuns) {
  const MadeResults made({});
  for (int repetition = 1; repetition <= 3; ++repetition) {
    MadeRun run;
    run.cell = "bookinfo.steady.users.new.warm.cap";
    run.repetition = repetition;
    for (int second = 0; second < 20; ++second) eval::add(run.requests, second, 500, 100);
    if (repetition == 2) spill(run, 2);
    made.add(run);
  }
  const Target target = target_of(made, "T9");
  // 2 of 30,000 is 0.0067 %; the one run alone has 0.02 %.
  EXPECT_EQ(target.verdict(), Verdict::kPass);
  EXPECT_DOUBLE_EQ(target.parts.at(0).spread->median, 2.0 / 30'000);
  EXPECT_DOUBLE_EQ(target.parts.at(0).spread->most, 2.0 / 10'000);
}

TEST(Targets, OneLateConnectionInOneRunFails) {
  const MadeResults made({});
  for (int repetition = 1; repetition <= 3; ++repetition) {
    MadeRun run = run_of(kGroup + "cap", 100, repetition);
    run.over_cap = repetition == 1 ? 1 : 0;
    made.add(run);
  }
  EXPECT_EQ(target_of(made, "T10").verdict(), Verdict::kFail);
}

TEST(Targets, LateConnectionsThatNobodyCountedAreNotMeasured) {
  const MadeResults made({});
  MadeRun run = run_of(kGroup + "cap", 100);
  run.over_cap = std::nullopt;
  made.add(run);
  EXPECT_EQ(target_of(made, "T10").verdict(), Verdict::kNotMeasured);
}

TEST(Targets, LastWantsBothScenarios) {
  const MadeResults made({});
  made.add(run_of("bookinfo.believed-20-high.users.new.warm.cap", 100));
  EXPECT_EQ(target_of(made, "T11").verdict(), Verdict::kNotMeasured);
  made.add(run_of("bookinfo.slow-vms.users.new.warm.cap", 100));
  EXPECT_EQ(target_of(made, "T11").verdict(), Verdict::kPass);
  made.add(run_of("bookinfo.slow-vms.open.new.warm.cap", 500));
  EXPECT_EQ(target_of(made, "T11").verdict(), Verdict::kFail);
}

TEST(Words, TellInfinityAndLittleFromNone) {
  EXPECT_EQ(text_of(12345.4, Unit::kMs), "12,345 ms");
  EXPECT_EQ(text_of(kNeverMs, Unit::kMs), "never answered");
  EXPECT_EQ(text_of(0.0, Unit::kPercent), "0 %");
  EXPECT_EQ(text_of(0.00002, Unit::kPercent), "0.002 %");
  EXPECT_EQ(text_of(-0.479, Unit::kSignedPercent), "−47.9 %");
  EXPECT_EQ(text_of(Spread{150, 120, 700, 3}, Unit::kMs), "150 ms (120 to 700)");
  EXPECT_EQ(text_of(Spread{150, 150, 150, 3}, Unit::kMs), "150 ms");
}

}  // namespace
}  // namespace flare::eval
