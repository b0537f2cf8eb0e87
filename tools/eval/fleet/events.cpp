#include "eval/fleet/events.h"

#include <algorithm>

namespace flare::eval {

std::string_view to_word(FleetEventKind kind) {
  constexpr std::string_view kWords[] = {
#define FLARE_FLEET_WORD(name, word) word,
      FLARE_FLEET_EVENTS(FLARE_FLEET_WORD)
#undef FLARE_FLEET_WORD
  };
  return kWords[static_cast<std::size_t>(kind)];
}

double node_seconds(std::uint32_t nodes_at_start, std::span<const FleetEvent> events,
                    std::int64_t from_ns, std::int64_t to_ns) {
  // Each change of the number counts for the rest of the time.
  const auto rest_s = [&](std::int64_t at_ns) {
    return static_cast<double>(std::max<std::int64_t>(0, to_ns - std::max(from_ns, at_ns))) / 1e9;
  };
  double seconds = nodes_at_start * rest_s(from_ns);
  for (const FleetEvent& event : events) {
    if (event.kind == FleetEventKind::kNodeRequested) seconds += rest_s(event.at_ns);
    if (event.kind == FleetEventKind::kNodeGone) seconds -= rest_s(event.at_ns);
  }
  return seconds;
}

}  // namespace flare::eval
