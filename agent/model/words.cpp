// The words of abi.h, as the tables there give them.
#include "model/words.h"

#include <array>

namespace flare {
namespace {

#define FLARE_WORD(name, word) word,
#define FLARE_REASON_WORD(name, word, fate) word,
#define FLARE_REASON_FATE(name, word, fate) FLARE_FATE_##fate,

constexpr std::array kTiers{FLARE_TIERS(FLARE_WORD)};
constexpr std::array kHooks{FLARE_HOOKS(FLARE_WORD)};
constexpr std::array kBackendStates{FLARE_BACKEND_STATES(FLARE_WORD)};
constexpr std::array kPlacements{FLARE_PLACEMENTS(FLARE_WORD)};
constexpr std::array kSnats{FLARE_SNATS(FLARE_WORD)};
constexpr std::array kSelects{FLARE_SELECTS(FLARE_WORD)};
constexpr std::array kChains{FLARE_CHAINS(FLARE_WORD)};
constexpr std::array kPolicies{FLARE_POLICIES(FLARE_WORD)};
constexpr std::array kOverloads{FLARE_OVERLOADS(FLARE_WORD)};
constexpr std::array kFallbacks{FLARE_FALLBACKS(FLARE_WORD)};
constexpr std::array kCountings{FLARE_COUNTINGS(FLARE_WORD)};
constexpr std::array kClasses{FLARE_CLASSES(FLARE_WORD)};
constexpr std::array kMoves{FLARE_MOVES(FLARE_WORD)};
constexpr std::array kMeans{FLARE_MEANS(FLARE_WORD)};
constexpr std::array kSpillCauses{FLARE_SPILL_CAUSES(FLARE_WORD)};
constexpr std::array kRefusals{FLARE_REFUSALS(FLARE_WORD)};
constexpr std::array kReasons{FLARE_REASONS(FLARE_REASON_WORD)};
constexpr std::array kReasonFates{FLARE_REASONS(FLARE_REASON_FATE)};
constexpr std::array kLatencies{FLARE_LATENCIES(FLARE_WORD)};
constexpr std::array kSpillEvents{FLARE_SPILL_EVENT_KINDS(FLARE_WORD)};
constexpr std::array kAttachModes{FLARE_ATTACH_MODES(FLARE_WORD)};
constexpr std::array kFates{"pass", "punt", "drop", "answer", "forward"};

template <std::size_t size>
std::string_view word_of(const std::array<const char*, size>& words, std::uint32_t number) {
  return number < size ? words[number] : "?";
}

}  // namespace

std::string_view tier_word(std::uint32_t tier) { return word_of(kTiers, tier); }
std::string_view hook_word(std::uint32_t hook) { return word_of(kHooks, hook); }
std::string_view backend_state_word(std::uint32_t state) { return word_of(kBackendStates, state); }
std::string_view placement_word(std::uint32_t placement) { return word_of(kPlacements, placement); }
std::string_view snat_word(std::uint32_t mode) { return word_of(kSnats, mode); }
std::string_view select_word(std::uint32_t select) { return word_of(kSelects, select); }
std::string_view chain_word(std::uint32_t chain) { return word_of(kChains, chain); }
std::string_view policy_word(std::uint32_t policy) { return word_of(kPolicies, policy); }
std::string_view overload_word(std::uint32_t overload) { return word_of(kOverloads, overload); }
std::string_view fallback_word(std::uint32_t fallback) { return word_of(kFallbacks, fallback); }
std::string_view counting_word(std::uint32_t counting) { return word_of(kCountings, counting); }
std::string_view class_word(std::uint32_t of) { return word_of(kClasses, of); }
std::string_view move_word(std::uint32_t move) { return word_of(kMoves, move); }
std::string_view means_word(std::uint32_t means) { return word_of(kMeans, means); }
std::string_view spill_cause_word(std::uint32_t cause) { return word_of(kSpillCauses, cause); }
std::string_view refusal_word(std::uint32_t refusal) { return word_of(kRefusals, refusal); }
std::string_view reason_word(std::uint32_t reason) { return word_of(kReasons, reason); }
std::string_view latency_word(std::uint32_t kind) { return word_of(kLatencies, kind); }
std::string_view spill_event_word(std::uint32_t kind) { return word_of(kSpillEvents, kind); }
std::string_view attach_mode_word(std::uint32_t mode) { return word_of(kAttachModes, mode); }
std::string_view fate_word(flare_fate fate) { return word_of(kFates, fate); }
flare_fate reason_fate(std::uint32_t reason) {
  return reason < kReasonFates.size() ? kReasonFates[reason] : FLARE_FATE_PASS;
}

}  // namespace flare
