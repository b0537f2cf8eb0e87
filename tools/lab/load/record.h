// What is kept of each request.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>

namespace flare::lab {

/// How a request ended: the enum, and the word in logs and JSON.
#define FLARE_LAB_OUTCOMES(O)                                           \
  O(kPending, "pending") /* not yet */                                  \
  O(kOk, "ok")                                                          \
  O(kTimeout, "timeout") /* no whole answer in time */                  \
  O(kRefused, "refused") /* the connection was refused */               \
  O(kReset, "reset")     /* the connection was reset */                 \
  O(kClosed, "closed")   /* closed before the whole answer was there */ \
  O(kStatus, "status")   /* an answer of another status than 200 */     \
  O(kBroken, "broken")   /* an answer that is not HTTP */               \
  O(kNetwork, "network") /* any other error of the socket */

enum class Outcome : std::uint8_t {
#define FLARE_LAB_ENUM(name, word) name,
  FLARE_LAB_OUTCOMES(FLARE_LAB_ENUM)
#undef FLARE_LAB_ENUM
};

constexpr std::string_view to_word(Outcome outcome) {
  constexpr std::string_view kWords[] = {
#define FLARE_LAB_WORD(name, word) word,
      FLARE_LAB_OUTCOMES(FLARE_LAB_WORD)
#undef FLARE_LAB_WORD
  };
  return kWords[static_cast<std::size_t>(outcome)];
}

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
