// The words of abi.h, for people, files and metrics.
#pragma once

#include <cstdint>
#include <string_view>

#include "flare/abi.h"

namespace flare {

/// An unknown number gives "?".
std::string_view tier_word(std::uint32_t tier);
std::string_view hook_word(std::uint32_t hook);
std::string_view backend_state_word(std::uint32_t state);
std::string_view placement_word(std::uint32_t placement);
std::string_view snat_word(std::uint32_t mode);
std::string_view select_word(std::uint32_t select);
std::string_view chain_word(std::uint32_t chain);
std::string_view policy_word(std::uint32_t policy);
std::string_view overload_word(std::uint32_t overload);
std::string_view fallback_word(std::uint32_t fallback);
std::string_view counting_word(std::uint32_t counting);
std::string_view class_word(std::uint32_t of);
std::string_view move_word(std::uint32_t move);
std::string_view means_word(std::uint32_t means);
std::string_view spill_cause_word(std::uint32_t cause);
std::string_view refusal_word(std::uint32_t refusal);
std::string_view reason_word(std::uint32_t reason);
std::string_view latency_word(std::uint32_t kind);
std::string_view spill_event_word(std::uint32_t kind);
std::string_view attach_mode_word(std::uint32_t mode);
flare_fate reason_fate(std::uint32_t reason);
std::string_view fate_word(flare_fate fate);

}  // namespace flare
