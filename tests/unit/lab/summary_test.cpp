// From records to figures.
#include <gtest/gtest.h>

#include <vector>

#include "common/percentile.h"
#include "load/summary.h"

namespace flare::lab {
namespace {

RequestRecord answered(double intended_s, double latency_ms, Tier tier = Tier::kVm) {
  RequestRecord record;
  record.intended_ns = static_cast<std::int64_t>(intended_s * 1e9);
  record.done_us = static_cast<std::uint32_t>(latency_ms * 1000);
  record.outcome = Outcome::kOk;
  record.status = 200;
  record.tier = tier;
  return record;
}

RequestRecord failed(double intended_s, Outcome outcome) {
  RequestRecord record;
  record.intended_ns = static_cast<std::int64_t>(intended_s * 1e9);
  record.outcome = outcome;
  return record;
}

TEST(NearestRank, IsASampleAndNeverInterpolates) {
  const std::vector<int> twenty = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10,
                                   11, 12, 13, 14, 15, 16, 17, 18, 19, 20};
  EXPECT_EQ(nearest_rank<int>(twenty, 0.50), 10);
  EXPECT_EQ(nearest_rank<int>(twenty, 0.95), 19);
  EXPECT_EQ(nearest_rank<int>(twenty, 0.951), 20);
  EXPECT_EQ(nearest_rank<int>(twenty, 1.0), 20);
  EXPECT_EQ(nearest_rank<int>(std::vector<int>{7}, 0.01), 7);
}

TEST(Summary, BinsByIntendedSecondAndNotByCompletion) {
  const std::vector<RequestRecord> records = {answered(0.9, 5000), answered(1.1, 10)};
  const Summary summary = summarise(records, {.seconds = 2});
  EXPECT_EQ(summary.seconds[0].latencies.p50_ms, 5000);
  EXPECT_EQ(summary.seconds[1].latencies.p50_ms, 10);
  EXPECT_EQ(summary.in_flight, (std::vector<std::int64_t>{1, 1}));
}

TEST(Summary, WhatFailedIsInfinitelyLate) {
  std::vector<RequestRecord> records(18, answered(0.5, 20));
  records.push_back(failed(0.5, Outcome::kTimeout));
  records.push_back(failed(0.5, Outcome::kReset));
  const Summary summary = summarise(records, {.seconds = 1});
  EXPECT_EQ(summary.total.latencies.p50_ms, 20);
  EXPECT_EQ(summary.total.latencies.p95_ms, std::nullopt);
  EXPECT_EQ(summary.peaks.p95_ms, std::nullopt);
  EXPECT_EQ(summary.peaks.seconds_p95_over, 1);
  EXPECT_EQ(summary.peaks.seconds_p50_over, 0);
  EXPECT_EQ(summary.total.failed, 2U);
  EXPECT_EQ(summary.total.over_objective, 2U);
  EXPECT_EQ(summary.total.failures.at("timeout"), 1U);
  EXPECT_EQ(summary.total.failures.at("reset"), 1U);
}

TEST(Summary, PeaksAreTheWorstSecondAndAnEmptySecondIsNoPeak) {
  const std::vector<RequestRecord> records = {answered(0.1, 100), answered(2.1, 450),
                                              answered(3.1, 401)};
  const Summary summary = summarise(records, {.seconds = 5});
  EXPECT_EQ(summary.peaks.p50_ms, 450);
  EXPECT_EQ(summary.peaks.seconds_p95_over, 2);
  EXPECT_EQ(summary.seconds[1].latencies.p50_ms, std::nullopt);
}

TEST(Summary, TheLeadInCountsApart) {
  const std::vector<RequestRecord> records = {answered(-0.5, 9000, Tier::kServerless),
                                              answered(0.5, 10)};
  const Summary summary = summarise(records, {.seconds = 1});
  EXPECT_EQ(summary.lead_in.serverless, 1U);
  EXPECT_EQ(summary.total.requests, 1U);
  EXPECT_EQ(summary.total.serverless, 0U);
  EXPECT_EQ(summary.peaks.p95_ms, 10);
}

TEST(Summary, BillsEachServerlessRequestByWholeMilliseconds) {
  RequestRecord spilled = answered(0.5, 90, Tier::kServerless);
  spilled.work_us = 70'001;
  const std::vector<RequestRecord> records = {spilled, spilled, answered(0.5, 90)};
  const Summary summary = summarise(records, {.seconds = 1});
  EXPECT_EQ(summary.total.serverless, 2U);
  EXPECT_EQ(summary.total.vm, 1U);
  EXPECT_EQ(summary.total.serverless_billed_ms, 142U);
}

TEST(Lateness, IsTheGeneratorsOwn) {
  std::vector<std::uint32_t> samples(98, 1'000);
  samples.push_back(21'000);
  samples.push_back(50'000);
  const Lateness lateness = lateness_of(samples);
  EXPECT_EQ(lateness.p50_ms, 1);
  EXPECT_EQ(lateness.p99_ms, 21);
  EXPECT_EQ(lateness.max_ms, 50);
}

}  // namespace
}  // namespace flare::lab
