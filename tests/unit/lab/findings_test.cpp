// What the report concludes from runs.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "report/findings.h"
#include "report/table.h"

namespace flare::lab {
namespace {

RunSummary run_of(const std::vector<std::pair<std::uint64_t, std::uint64_t>>& requests_spilled) {
  RunSummary run;
  run.label = "a run";
  run.peak_p95_ms = 200;
  run.peak_p50_ms = 100;
  for (const auto& [requests, spilled] : requests_spilled) {
    RunSecond second;
    second.requests = requests;
    second.serverless = spilled;
    second.vm = requests - spilled;
    run.requests += requests;
    run.serverless += spilled;
    run.seconds.push_back(second);
  }
  return run;
}

const Terms kTerms{.capacity_rps = 438, .calm_until = 1};

bool holds(const std::vector<Check>& checks, const std::string& key) {
  const auto found = std::ranges::find(checks, key, &Check::key);
  EXPECT_NE(found, checks.end()) << key;
  return found != checks.end() && found->holds;
}

TEST(Findings, ExcessIsWhatEachSecondHasBeyondCapacity) {
  const Findings findings =
      findings_of(run_of({{200, 0}, {538, 90}, {400, 30}, {448, 20}}), kTerms);
  EXPECT_DOUBLE_EQ(findings.excess, 110) << "a second below capacity earns nothing back";
  EXPECT_DOUBLE_EQ(*findings.spilled_to_excess, 140.0 / 110);
}

TEST(Findings, CalmSpillsCountTheLeadInToo) {
  RunSummary run = run_of({{200, 2}, {538, 90}});
  run.lead_in_serverless = 3;
  EXPECT_EQ(findings_of(run, kTerms).spilled_calm, 5U);
}

TEST(Findings, PriceIsGigabyteSecondsAndTheFee) {
  // 1,000 requests of 84 ms: 84 s x 1.7275 GB x 1.66667e-5 USD + 1,000 x 2e-7 USD.
  EXPECT_NEAR(lambda_usd(Prices{}, 1000, 84'000), 0.0024185 + 0.0002, 1e-6);
}

TEST(Checks, HoldForARunAsItHasToBe) {
  RunSummary without = run_of({{200, 0}, {538, 0}});
  without.peak_p95_ms = 1280;
  const auto checks = checks_of(without, run_of({{200, 0}, {538, 110}}), kTerms);
  for (const Check& check : checks) EXPECT_TRUE(check.holds) << check.sentence;
}

TEST(Checks, EachFailsByItsOwnCause) {
  RunSummary without = run_of({{200, 0}, {538, 0}});
  without.peak_p95_ms = 999;
  RunSummary with = run_of({{200, 1}, {538, 130}});
  with.peak_p95_ms = 400;
  with.failed = 1;
  with.is_void = true;
  for (const Check& check : checks_of(without, with, kTerms)) {
    EXPECT_FALSE(check.holds) << check.sentence;
  }
  without.peak_p95_ms = std::nullopt;
  with.peak_p95_ms = std::nullopt;
  const auto unanswered = checks_of(without, with, kTerms);
  EXPECT_TRUE(holds(unanswered, "without_passes_1s")) << "never answered is later than 1 s";
  EXPECT_FALSE(holds(unanswered, "with_under_objective"));
}

TEST(Checks, NoExcessIsNotShown) {
  const RunSummary calm = run_of({{200, 0}, {300, 0}});
  EXPECT_FALSE(holds(checks_of(calm, calm, kTerms), "spilled_near_excess"));
}

TEST(Table, ShowsEachRunAndThePricesUsed) {
  const std::string table = table_of({run_of({{538, 100}}), run_of({{538, 0}})}, kTerms);
  EXPECT_NE(table.find("1.00"), std::string::npos) << table;
  EXPECT_NE(table.find("0.0000166667"), std::string::npos) << table;
}

}  // namespace
}  // namespace flare::lab
