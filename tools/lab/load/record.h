// What is kept of each request.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>

#include "common/outcome.h"

namespace flare::lab {

/// Which tier answered, by the reply's X-Flare-Tier.
enum class Tier : std::uint8_t { kUnknown, kVm, kServerless };

constexpr std::string_view to_word(Tier tier) {
  constexpr std::string_view kWords[] = {"unknown", "vm", "serverless"};
  return kWords[static_cast<std::size_t>(tier)];
}

constexpr std::uint32_t kNever = std::numeric_limits<std::uint32_t>::max();

/// One request. Offsets are microseconds after the intended start; kNever: it did not happen.
struct RequestRecord {
  std::int64_t intended_ns = 0;  ///< after the start of second 0; negative in the lead-in
  std::uint32_t sent_us = kNever;
  std::uint32_t connected_us = kNever;
  std::uint32_t first_byte_us = kNever;
  std::uint32_t done_us = kNever;  ///< the latency; kNever is infinitely late
  std::uint32_t number = 0;
  std::uint32_t connection = kNever;
  std::uint32_t work_us = 0;  ///< service time, by the reply's X-Flare-Work-Us
  std::uint16_t status = 0;
  Tier tier = Tier::kUnknown;
  Outcome outcome = Outcome::kPending;
};
static_assert(sizeof(RequestRecord) == 40, "one record a request stays small");

}  // namespace flare::lab
