// The agent's garbage collector of translated flows. It walks in small steps so that the event loop
// stays quick, and deletes only what is unchanged since it looked.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kernel/maps.h"

namespace flare {

/// What a flow's two entries and the settings say about it; pure, for the sweep and for flarectl.
struct FlowAge {
  enum class State : std::uint8_t {
    kHandshake,
    kEstablished,
    kClosing,
    kReset,
    kUnreplied,
    kReplied
  };
  State state = State::kEstablished;
  std::uint64_t used_ns = 0;     ///< last packet of either direction
  std::uint64_t expires_ns = 0;  ///< when it may go
};
/// `forward` and `reverse` are the entries of one flow; `reverse` may be null (its twin is
/// missing).
FlowAge flow_age(const flare_flow& forward, const flare_flow* reverse,
                 const flare_settings& settings);
std::string_view flow_state_word(FlowAge::State state);

/// What one step did.
struct SweepReport {
  std::uint64_t seen = 0;     ///< entries looked at
  std::uint64_t expired = 0;  ///< flows deleted, both entries
  std::uint64_t orphans = 0;  ///< entries deleted whose twin was missing
  std::uint64_t spared = 0;   ///< changed between the look and the deletion, so left
  std::uint64_t closed =
      0;  ///< deleted flows whose end no packet had shown: counted as closed here
  std::uint64_t given_back = 0;  ///< handshakes never finished, given back to the hourly budget
  bool pass_done = false;        ///< a whole walk ended with this step
  /// After a whole walk: by how much each service's `active` was corrected (only those that were).
  struct Correction {
    std::uint32_t service_id = 0;
    std::int64_t by = 0;
  };
  std::vector<Correction> corrections;
};

/// Walks `flows`, then `embryos`, a step at a time. One sweep a host: it is a writer of `flows`.
/// `maps` was opened for writing and outlives the sweep.
class FlowSweep {
 public:
  explicit FlowSweep(const Maps& maps);

  /// Looks at about `budget` entries. `now_ns` is CLOCK_MONOTONIC.
  Result<SweepReport> step(std::uint64_t now_ns, std::uint32_t budget = 4096);

 private:
  using FlowMap = TypedMap<flare_flow_key, flare_flow>;

  /// What is known of one service since the pass began.
  struct Tally {
    std::uint64_t open = 0;         ///< entries seen that count in `active`
    std::uint64_t closed_here = 0;  ///< flows that this pass itself closed
    std::uint64_t handshakes_at_start = 0;
    std::uint64_t closed_at_start = 0;
  };

  void start_pass();
  Result<void> look_at(const FlowMap::Entry& entry, std::uint64_t now_ns,
                       const flare_settings& settings, SweepReport& report);
  Result<void> look_at_forward(const FlowMap::Entry& entry, std::uint64_t now_ns,
                               const flare_settings& settings, SweepReport& report);
  Result<std::optional<flare_flow>> take_unchanged(const FlowMap& map, const flare_flow_key& key,
                                                   const flare_flow& seen, SweepReport& report);
  Result<void> remove_orphan(const FlowMap::Entry& entry, SweepReport& report);
  Result<void> remove_flow(const FlowMap::Entry& forward, const flare_flow& reverse,
                           SweepReport& report);
  void give_back(const flare_flow& forward, SweepReport& report);
  void count_end(const flare_flow& forward, SweepReport& report);
  void correct_active(SweepReport& report);
  std::optional<flare_flow> find(const flare_flow_key& key) const;

  const Maps& maps_;
  MapCursor cursor_;
  bool in_embryos_ = false;
  bool pass_begun_ = false;
  std::vector<Tally> tallies_;  ///< by service id
};

}  // namespace flare
