// What a slot of `turns` must say for its idle connection to be reset, in either direction.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "flare/abi.h"

namespace flare {

inline constexpr std::uint64_t kMs = 1'000'000;
inline constexpr std::uint64_t kSecond = 1'000 * kMs;
/// Connections are idle after this silence ...
inline constexpr std::uint64_t kBound = 10 * kSecond;
/// ... and have been silent for so long, unless a case says otherwise.
inline constexpr std::uint64_t kSilent = 20 * kSecond;

struct SlotCase {
  const char* name;
  void (*change)(flare_turn&);
  bool is_reset;
};

inline std::string slot_case_name(const testing::TestParamInfo<SlotCase>& one) {
  return one.param.name;
}

/// For connections of `tier` that are TLS and have had a request.
inline std::vector<SlotCase> slot_cases(flare_tier tier) {
  const auto other_tier = tier == FLARE_TIER_VM
                              ? [](flare_turn& t) { t.tier = FLARE_TIER_SERVERLESS; }
                              : +[](flare_turn& t) { t.tier = FLARE_TIER_VM; };
  return {
      {"OpenRequest", [](flare_turn& t) { t.open_ns = t.seen_ns; }, false},
      {"OpenStream", [](flare_turn& t) { t.streams = 1; }, false},
      {"JustAnswered", [](flare_turn& t) { t.seen_ns += kSilent - kBound / 4; }, false},
      {"SilentForLongEnough", [](flare_turn& t) { t.seen_ns += kSilent - kBound - kSecond; }, true},
      {"NeverHadARequest", [](flare_turn& t) { t.requests = 0; }, false},
      {"AlreadyTold", [](flare_turn& t) { t.ended = FLARE_TURN_MOVED; }, false},
      {"Closed", [](flare_turn& t) { t.ended = FLARE_TURN_CLOSED; }, false},
      {"Multiplexed", [](flare_turn& t) { t.flags |= FLARE_TURN_MUX; }, false},
      {"CountedAsAWhole", [](flare_turn& t) { t.flags |= FLARE_TURN_WHOLE; }, false},
      {"Http2", [](flare_turn& t) { t.flags |= FLARE_TURN_HTTP2; }, false},
      {"HttpThatCanBeTold", [](flare_turn& t) { t.flags &= ~FLARE_TURN_TLS; }, false},
      {"AnswersWithoutHeader",
       [](flare_turn& t) {
         t.flags &= ~FLARE_TURN_TLS;
         t.ended = FLARE_TURN_HEADLESS;
       },
       true},
      {"OfTheOtherTier", other_tier, false},
      {"OfAnotherService", [](flare_turn& t) { t.service_id = 2; }, false},
      {"OfAnotherConnection", [](flare_turn& t) { ++t.tag; }, false}};
}

}  // namespace flare
