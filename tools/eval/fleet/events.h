// What happens to a fleet, and what its nodes cost.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace flare::eval {

/// The enum, and the word in logs and JSON.
#define FLARE_FLEET_EVENTS(E)         \
  E(kNodeRequested, "node-requested") \
  E(kNodeUp, "node-up")               \
  E(kPodStarting, "pod-starting")     \
  E(kPodReady, "pod-ready")           \
  E(kPodDraining, "pod-draining")     \
  E(kPodGone, "pod-gone")             \
  E(kNodeGone, "node-gone")

enum class FleetEventKind : std::uint8_t {
#define FLARE_FLEET_ENUM(name, word) name,
  FLARE_FLEET_EVENTS(FLARE_FLEET_ENUM)
#undef FLARE_FLEET_ENUM
};

std::string_view to_word(FleetEventKind kind);

/// Ids count from 1 and are never used again.
struct FleetEvent {
  std::int64_t at_ns = 0;
  FleetEventKind kind{};
  std::uint32_t node = 0;
  std::uint32_t pod = 0;  ///< 0: an event of a node
  bool operator==(const FleetEvent&) const = default;
};

/// Seconds that nodes were paid for between two moments: each from its request (`nodes_at_start`:
/// from before) until it is gone. `events` are in order of time.
double node_seconds(std::uint32_t nodes_at_start, std::span<const FleetEvent> events,
                    std::int64_t from_ns, std::int64_t to_ns);

}  // namespace flare::eval
