// From requests to figures; every expected number is computed by hand.
#include "eval/report/measures.h"

#include <gtest/gtest.h>

#include "eval/report/excess.h"
#include "made_requests.h"

namespace flare::eval {
namespace {

using lab::RequestRecord;
using lab::Tier;

const MeasureTerms kTerms = {.seconds = 20, .onset_s = 5, .capacity_rps = 100};

std::vector<bool> over_at(int seconds, const std::vector<int>& late) {
  std::vector<bool> over(static_cast<std::size_t>(seconds), false);
  for (const int second : late) over[static_cast<std::size_t>(second)] = true;
  return over;
}

TEST(Measures, PercentilesAreNearestRankOfRawSamplesByIntendedSecond) {
  // The 19th of 20 is the P95: one late request does not show, two do.
  std::vector<RequestRecord> records = seconds_with(20, {7});
  records[3 * 20].done_us = 900'000;
  const Measures found = measure(records, kTerms);
  EXPECT_EQ(found.series[3].p95_ms, 100);
  EXPECT_EQ(found.series[7].p95_ms, 500);
  EXPECT_EQ(found.series[7].p50_ms, 100);
  EXPECT_EQ(found.peak_p95_ms, 500);
  EXPECT_EQ(found.peak_p50_ms, 100);
  EXPECT_EQ(found.requests, 400U);
}

TEST(Measures, BinsOfFiveSecondsAreOverTheSamplesOfAllFive) {
  // Of 100 requests the 95th counts: four late seconds of two are 8 late ones, two are 4.
  Measures found = measure(seconds_with(20, {5, 6, 7, 8}), kTerms);
  EXPECT_EQ(found.peak_p95_5s_ms, 500);
  EXPECT_EQ(found.p95_over_5s, 5);
  found = measure(seconds_with(20, {5, 6}), kTerms);
  EXPECT_EQ(found.peak_p95_5s_ms, 100);
  EXPECT_EQ(found.p95_over_5s, 0);
  EXPECT_EQ(found.p95_over.seconds, 2);
}

TEST(Measures, WhatFailedIsInfinitelyLate) {
  std::vector<RequestRecord> records = seconds_with(20, {});
  records.push_back(failed(9.5));
  records.push_back(failed(9.6));
  // An answer of another status came, but it is no answer.
  records.push_back(answered(12.5, 50));
  records.back().outcome = lab::Outcome::kStatus;
  const Measures found = measure(records, kTerms);
  EXPECT_EQ(found.series[9].p95_ms, kNeverMs);
  EXPECT_EQ(found.series[9].p50_ms, 100);
  EXPECT_EQ(found.peak_p95_ms, kNeverMs);
  EXPECT_EQ(found.p95_over.seconds, 1) << "1 of 21 is not in the 95 %, 2 of 22 are";
  EXPECT_EQ(found.failed, 3U);
  // From second 5 on: 15 x 20 + 3 requests, 3 of which are late.
  EXPECT_DOUBLE_EQ(found.over_share, 3.0 / 303);
}

TEST(Measures, LeadInIsLeftOut) {
  std::vector<RequestRecord> records = seconds_with(20, {});
  for (int i = 0; i < 50; ++i) records.push_back(answered(-1, 5000, Tier::kServerless, 70'000));
  const Measures found = measure(records, kTerms);
  EXPECT_EQ(found.requests, 400U);
  EXPECT_EQ(found.spilled.requests, 0U);
  EXPECT_EQ(found.peak_p95_ms, 100);
}

TEST(Measures, ShareOverTheObjectiveIsFromTheOnsetForAtMost150Seconds) {
  MeasureTerms terms = kTerms;
  terms.seconds = 200;
  terms.onset_s = 30;
  // Late in 29 (before), 30 and 179 (within), 180 (after): 4 of 150 x 20 requests.
  Measures found = measure(seconds_with(200, {29, 30, 179, 180}), terms);
  EXPECT_DOUBLE_EQ(found.over_share, 4.0 / 3000);
  EXPECT_EQ(found.window_s, 150);
  EXPECT_EQ(found.p95_over.seconds, 4);
  found = measure(seconds_with(20, {6}), kTerms);
  EXPECT_EQ(found.window_s, 15);
  EXPECT_DOUBLE_EQ(found.over_share, 2.0 / 300);
}

TEST(Measures, ObjectiveItselfIsNotOver) {
  std::vector<RequestRecord> records;
  add(records, 6, 20, 400);
  const Measures found = measure(records, kTerms);
  EXPECT_EQ(found.p95_over.seconds, 0);
  EXPECT_EQ(found.over_share, 0);
  EXPECT_FALSE(found.recovery.needed);
}

TEST(Measures, SpilledAreBilledByTheMillisecondBegun) {
  std::vector<RequestRecord> records = seconds_with(20, {});
  add(records, 2, 1, 80, Tier::kServerless, 70'001);
  add(records, 8, 2, 80, Tier::kServerless, 70'000);
  add(records, 10, 1, 80, Tier::kServerless, 1);
  const Measures found = measure(records, kTerms);
  EXPECT_EQ(found.spilled.requests, 4U);
  EXPECT_EQ(found.spilled.billed_ms, 71U + 140U + 1U);
  EXPECT_EQ(found.spilled_before.requests, 1U);
  EXPECT_EQ(found.spilled_in_tail, 1U) << "second 10 is the first of the last ten";
  EXPECT_DOUBLE_EQ(found.series[2].share(), 100.0 / 21);
}

TEST(Measures, OpenRequestsAreCountedAtTheEndOfEachSecondByTier) {
  const std::vector<RequestRecord> records = {answered(1.5, 2000), failed(2.5),
                                              answered(2.9, 200, Tier::kServerless)};
  const Measures found = measure(records, kTerms);
  EXPECT_EQ(found.series[0].vm_open, 0);
  EXPECT_EQ(found.series[1].vm_open, 1);
  EXPECT_EQ(found.series[2].vm_open, 2) << "what timed out was open for ten seconds";
  EXPECT_EQ(found.series[2].serverless_open, 1);
  EXPECT_EQ(found.series[3].vm_open, 1);
  EXPECT_EQ(found.series[3].serverless_open, 0);
  EXPECT_EQ(found.series[11].vm_open, 1);
  EXPECT_EQ(found.series[12].vm_open, 0);
}

TEST(Violation, GapsOfTwoSecondsAreBridgedAndLongerOnesNot) {
  // 3-4, gap 5-6, 7: one run of 5; then a gap of three, 11-12.
  const Violation violation = violation_of(over_at(20, {3, 4, 7, 11, 12}));
  EXPECT_EQ(violation.seconds, 5);
  EXPECT_EQ(violation.longest, 5);
  EXPECT_EQ(violation_of(over_at(20, {3, 7})).longest, 1);
  EXPECT_EQ(violation_of(over_at(20, {})).longest, 0);
}

TEST(Recovery, IsTheFirstSecondFromWhichTenAreGood) {
  // Over in 6, 7 and again in 15: 8 to 14 are seven good ones, 16 to 25 are ten.
  const Recovery recovery = recovery_of(over_at(40, {6, 7, 15}), 5);
  EXPECT_TRUE(recovery.needed);
  EXPECT_EQ(recovery.after_s, 11);
}

TEST(Recovery, StartsWithTheFirstBadSecondAndNotWithTheOnset) {
  EXPECT_EQ(recovery_of(over_at(60, {20, 21}), 5).after_s, 17) << "5 to 19 are good, too soon";
}

TEST(Recovery, MayNotComeOrNotBeNeeded) {
  EXPECT_EQ(recovery_of(over_at(20, {12}), 5).after_s, std::nullopt) << "seven seconds are left";
  EXPECT_TRUE(recovery_of(over_at(20, {12}), 5).needed);
  EXPECT_FALSE(recovery_of(over_at(20, {3}), 5).needed) << "before the onset";
}

/// `rate` requests a second, evenly spaced, from `from_s` to `to_s`.
void add_even(std::vector<RequestRecord>& records, double from_s, double to_s, double rate) {
  const int count = static_cast<int>((to_s - from_s) * rate + 0.5);
  for (int i = 0; i < count; ++i) records.push_back(answered(from_s + i / rate, 80));
}

TEST(Excess, BeginsWithTheArrivalAfterItWasLastNothing) {
  // 50/s, then 200/s at a capacity of 100: from second 1 on each arrival adds a half, so a tenth of
  // a second of capacity, 10 requests, is in excess after 19.
  std::vector<RequestRecord> records;
  add_even(records, 0, 1, 50);
  add_even(records, 1, 2, 200);
  const auto began = excess_start(records, 100);
  ASSERT_TRUE(began);
  EXPECT_EQ(*began, 50U);
}

TEST(Excess, OfLoadUnderCapacityThereIsNone) {
  std::vector<RequestRecord> records;
  add_even(records, 0, 10, 95);
  for (int i = 0; i < 8; ++i) records.push_back(answered(10, 80));  // a burst by chance
  EXPECT_EQ(excess_start(records, 100), std::nullopt);
}

TEST(Excess, FirstSpilledIsRankedAmongItsArrivals) {
  std::vector<RequestRecord> records;
  add_even(records, 0, 1, 50);
  records[10].tier = Tier::kServerless;  // a false spill before is not the first of the excess
  add_even(records, 1, 2, 200);
  records[50 + 40].tier = Tier::kServerless;
  const auto spill = first_spill_after(records, 50, 100);
  ASSERT_TRUE(spill);
  EXPECT_EQ(spill->rank, 41U);
  EXPECT_NEAR(spill->second, 1.2, 1e-9);
  EXPECT_NEAR(spill->excess, 41 - 100 * 0.2, 1e-6);
}

}  // namespace
}  // namespace flare::eval
