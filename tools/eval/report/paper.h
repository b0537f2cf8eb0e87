// The figures of the Flare paper (Dehigama et al., "Flare: Leveraging Serverless Elasticity to
// Absorb Microservice Load Spikes", 2026, arXiv 2605.23707), each with its place in the text.
// "Derived" is computed from what it reports. No other file has a number of the paper.
#pragma once

#include <string_view>

namespace flare::eval::paper {

struct Range {
  double least;
  double most;
};

constexpr std::string_view kTitle =
    "Dehigama et al., \"Flare: Leveraging Serverless Elasticity to Absorb Microservice Load "
    "Spikes\", 2026, arXiv 2605.23707";

constexpr double kObjectiveMs = 400;  // V, VI-A

// Figure 2: VM-only, BookInfo. The first two are reported as "over"; the last two are 600/8.2,
// 900/9.6.
constexpr double kFig2PeakP50Ms = 600;
constexpr double kFig2PeakP95Ms = 900;
constexpr double kFig2P50TimesCalm = 8.2;
constexpr double kFig2P95TimesCalm = 9.6;
constexpr double kFig2CalmP50Ms = 73;
constexpr double kFig2CalmP95Ms = 94;

// Figure 4: serverless-only against VMs at the steady load, an hour of BookInfo.
constexpr double kFig4ServerlessUsd = 0.48;
constexpr double kFig4VmUsd = 0.20;
constexpr double kFig4Ratio = 2.4;
constexpr double kFig4ServerlessP95Ms = 106;
constexpr double kFig4VmP95Ms = 113;
constexpr double kFig4UsdPerRequest = 6.7e-7;  // derived: 0.48/(200 x 3600)

// Figure 6: peaks against the calm time (times) and the objective (parts over it).
constexpr Range kFig6BaseP50TimesCalm = {5.9, 19.2};
constexpr Range kFig6BaseP95TimesCalm = {4.2, 12.9};
constexpr Range kFig6BaseP50OverObjective = {0.05, 0.55};
constexpr double kFig6BaseP95OverObjective = 0.80;  // "over": a peak above 720 ms
constexpr Range kFig6FlareP50TimesCalm = {1.6, 7.6};
constexpr Range kFig6FlareP95TimesCalm = {2.8, 5.3};
constexpr double kFig6FlareP95OverObjective = 0.32;  // at most: a peak of 528 ms
constexpr double kFig6RequestsOver = 0.05;           // VI-A
constexpr double kFig6Reduction = -0.479;            // average of the applications
constexpr Range kFig6Reductions = {-0.59, -0.32};

// Table I: seconds over the objective.
struct TableOne {
  std::string_view profile;
  double p50_base;
  double p50_flare;
  double p95_base;
  double p95_flare;
};
constexpr TableOne kTableOne[] = {{"bookinfo", 36, 0, 87, 12},
                                  {"online_boutique", 3, 0, 96, 10},
                                  {"hotel_reservation", 29, 0, 138, 13}};

// Figure 7: cost against the baseline, a part of 1. 2.00 is derived: 1.044/(1 - 0.478).
struct Cost {
  std::string_view profile;
  double flare_over_base;
};
constexpr Cost kFig7[] = {
    {"bookinfo", 0.030}, {"online_boutique", 0.028}, {"hotel_reservation", 0.073}};
constexpr double kFig7Average = 0.044;
constexpr double kFig7AgainstOverProvisioned = -0.478;
constexpr double kFig7OverProvisionedTimesBase = 2.00;

// Figure 8: Lambda, BookInfo.
constexpr double kFig8WarmReduction = -0.53;
constexpr double kFig8WarmAbsorbedS = 9;
constexpr double kFig8ColdToWarm = 1.19;
constexpr Range kFig8RecoveryS = {10, 16};
constexpr double kFig8VmOnlyRecoveryS = 87;

// The column "the paper" of T1 to T11, in words.
constexpr std::string_view kT1 = "−47.9 % on average (−32 to −59 %): VI-A, Figure 6";
constexpr std::string_view kT2 = "10 to 13 s: Table I";
constexpr std::string_view kT3 = "0 s: Table I";
constexpr std::string_view kT4 = "5 %: VI-A";
constexpr std::string_view kT5 = "+2.8 to +7.3 %: Figure 7";
constexpr std::string_view kT6 = "−47.8 %: Figure 7";
constexpr std::string_view kT7 = "1.19x: Figure 8";
constexpr std::string_view kT8 = "87 to 138 s: Table I";
constexpr std::string_view kT9 = "not reported";
constexpr std::string_view kT10 = "not reported (10 s class: Figure 8)";
constexpr std::string_view kT11 = "not tried";

}  // namespace flare::eval::paper
