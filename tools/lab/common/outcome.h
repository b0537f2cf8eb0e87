// How an HTTP request ended, for those who send them.
#pragma once

#include <cstddef>
#include <cstdint>
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

}  // namespace flare::lab
