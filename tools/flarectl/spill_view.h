// Starts and ends of spills, for `spills` and `service show`.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "flarectl/context.h"
#include "kernel/maps.h"

namespace flare::ctl {

/// The newest start and the newest end of one service; number 0: none is remembered.
struct LastSpill {
  flare_spill_event start{};
  flare_spill_event end{};
};

/// `history` is oldest first.
LastSpill last_spill(std::span<const flare_spill_event> history, const std::string& service);

/// Flows of the interval that showed a start, or of the whole spill that ended.
std::uint64_t spill_flows(const flare_spill_event& event);
/// What spilled most in the interval that showed the start.
std::string spill_cause(const flare_spill_event& event);

Json spill_event_json(const flare_spill_event& event, std::uint64_t now_ns);
/// The start's cause with the numbers behind it, or what the last spill came to.
std::string spill_start_text(const flare_spill_event& start);
std::string spill_end_text(const flare_spill_event& end, std::uint64_t now_ns);

}  // namespace flare::ctl
