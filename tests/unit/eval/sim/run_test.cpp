#include "eval/sim/run.h"

#include <gtest/gtest.h>

#include "eval/sim/tables.h"
#include "report/price.h"

namespace flare::eval {
namespace {

const std::string kTraces = FLARE_TRACES_DIR;

TEST(Load, OfASpikeHasItsOnsetWhereItWasAskedFor) {
  const auto load = spike_load(kTraces + "/twitter_spike_sustained_1s.csv", 60, 120);
  ASSERT_TRUE(load);
  EXPECT_EQ(load->rates.size(), 180U);
  EXPECT_EQ(load->onset_s, 60);
  EXPECT_NEAR(load->rates[0], 200, 40);
  EXPECT_NEAR(load->rates[100], 500, 60);
}

TEST(Load, OfAnHourIsTheWholeTrace) {
  const auto sustained = hour_load(kTraces + "/twitter_spike_sustained_1s.csv");
  ASSERT_TRUE(sustained);
  EXPECT_EQ(sustained->rates.size(), 3598U);
  EXPECT_EQ(sustained->onset_s, 1944);
  const auto steady = hour_load(kTraces + "/twitter_steady_1s.csv");
  ASSERT_TRUE(steady);
  EXPECT_EQ(steady->rates.size(), 3598U);
  EXPECT_EQ(steady->onset_s, -1);
  EXPECT_FALSE(hour_load(kTraces + "/none.csv"));
}

TEST(Run, TellsWhatASpikeDoes) {
  auto load = spike_load(kTraces + "/twitter_spike_sustained_1s.csv", 60, 240);
  ASSERT_TRUE(load);
  load->users = true;
  const RunOutcome alone = run(run_of(SimPolicy::kVmOnly, *load));
  const RunOutcome capped = run(run_of(SimPolicy::kCap, *load));
  // EVALUATION's simulation, independent of this one: 1335 ms and 96 s alone, 166 ms and 0 s
  // capped.
  EXPECT_NEAR(peak_p95(alone), 1335, 150);
  EXPECT_NEAR(seconds_over(alone), 96, 20);
  EXPECT_NEAR(peak_p95(capped), 166, 15);
  EXPECT_EQ(seconds_over(capped), 0);
  EXPECT_EQ(capped.over_after_onset, 0U);
  EXPECT_GT(capped.after_onset, 60'000U);
  EXPECT_GT(alone.over_after_onset, alone.after_onset / 2);
  EXPECT_EQ(recovery_s(capped.summary, load->onset_s, 400), 0);
  EXPECT_GT(recovery_s(alone.summary, load->onset_s, 400).value_or(999), 60);
}

TEST(Run, NobodyScalesBeforeTheOnset) {
  auto load = spike_load(kTraces + "/twitter_spike_sustained_1s.csv", 200, 100);
  ASSERT_TRUE(load);
  const RunOutcome outcome = run(run_of(SimPolicy::kVmOnly, *load));
  ASSERT_FALSE(outcome.node.fleet.empty());
  EXPECT_GE(outcome.node.fleet.front().at_ns, 170 * kSecondNs);
}

TEST(Run, BillsWholeMillisecondsAndEveryNode) {
  RunConfig config = run_of(SimPolicy::kServerlessOnly, steady_load(100, 60));
  config.node.autoscaled = false;
  const RunOutcome outcome = run(config);
  const auto& total = outcome.summary.total;
  EXPECT_EQ(total.serverless, total.requests);
  EXPECT_DOUBLE_EQ(outcome.serverless_usd,
                   lab::lambda_usd({}, total.serverless, total.serverless_billed_ms));
  EXPECT_DOUBLE_EQ(outcome.node_seconds, 4 * 60);
  config = run_of(SimPolicy::kOverProvisioned, steady_load(100, 60));
  config.node.autoscaled = false;
  EXPECT_DOUBLE_EQ(run(config).node_seconds, 8 * 60);
  EXPECT_DOUBLE_EQ(run(config).calm_node_seconds, 4 * 60);
}

TEST(Table, ShowsTheMedianAndTheRange) {
  EXPECT_EQ(spread({3, 1, 2}), "2 (1–3)");
  EXPECT_EQ(spread({2, 2, 2}), "2");
  EXPECT_EQ(spread({1.26, 1.24}, 1), "1.3 (1.2–1.3)");
  EXPECT_EQ(spread({std::numeric_limits<double>::infinity()}), "timeout");
  EXPECT_EQ(percent(-0.479), "-47.9 %");
}

TEST(Table, IsMadeOfEveryName) {
  TableConfig config;
  EXPECT_FALSE(make_table("nothing", config));
  config.traces = "/none";
  for (const std::string& name : table_names()) {
    if (name == "slow-vms") continue;  // needs no trace
    EXPECT_FALSE(make_table(name, config)) << name;
  }
  config.seeds = 1;
  const auto slow = make_table("slow-vms", config);
  ASSERT_TRUE(slow);
  EXPECT_EQ(slow->rows.size(), 14U);
  for (const auto& row : slow->rows) EXPECT_EQ(row.size(), slow->columns.size());
}

}  // namespace
}  // namespace flare::eval
