#include "eval/sim/config.h"

#include <array>
#include <cstddef>

namespace flare::eval {
namespace {

constexpr std::array<std::string_view, 8> kWords = {
#define FLARE_SIM_WORD(name, word) word,
    FLARE_SIM_POLICIES(FLARE_SIM_WORD)
#undef FLARE_SIM_WORD
};

}  // namespace

std::string_view to_word(SimPolicy policy) { return kWords[static_cast<std::size_t>(policy)]; }

std::optional<SimPolicy> policy_of(std::string_view word) {
  for (std::size_t at = 0; at < kWords.size(); ++at) {
    if (kWords[at] == word) return static_cast<SimPolicy>(at);
  }
  return std::nullopt;
}

}  // namespace flare::eval
