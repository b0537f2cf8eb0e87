// Frames run through the programs of one device, one after the other, and what became of them.
#pragma once

#include <functional>

#include "datapath/frame_view.h"
#include "datapath/world.h"

namespace flare::fuzz {

/// A frame as it meets a hook, and what was known just before.
struct Arrived {
  flare_hook hook = FLARE_HOOK_XDP;
  Frame frame;
  FrameView view;
  std::uint8_t how = 0;                    ///< kHow*
  const flare_service* service = nullptr;  ///< that the frame goes to, or (egress) comes from
  bool known = false;                      ///< a flow, or a first fragment, that it belongs to
  std::size_t entries = 0;                 ///< in all maps that packets may grow
};

struct Left {
  int verdict = 0;
  Frame frame;
  FrameView view;
  unsigned reason = FLARE_REASONS_COUNT;
  unsigned counted = 0;  ///< reasons that grew, over all hooks
  std::size_t entries = 0;
  bool lossy = false;   ///< an entry may have given way to another one, or could not be made
  bool faulty = false;  ///< a helper failed
};

struct Verdicts {
  int pass, drop, send;
};
Verdicts verdicts_of(flare_hook hook);
flare_fate fate_of(unsigned reason);
const char* word_of(unsigned reason);

class Session {
 public:
  /// `xdp`: the device has an XDP program and its companion, else tc alone.
  explicit Session(bool xdp) : xdp_(xdp) {}

  void begin(Input& input) { world_.build(input); }
  World& world() { return world_; }
  /// From here on frames come whole and plain (no offload, no metadata), and `look` sees what
  /// became of each at each hook.
  using Look = std::function<void(flare_hook, const Frame& arrived, std::uint8_t how, const Left&)>;
  void watch(Look look) { look_ = std::move(look); }
  /// Runs a frame through the hooks that it meets; each of them is judged. Returns the last one's.
  Left run(const Frame& frame, std::uint8_t how, std::uint8_t split);
  flare_flow* flow_of(const flare_flow_key& key);

 private:
  Left run_hook(flare_hook hook, const Frame& frame, std::uint8_t how, std::uint8_t split);
  Arrived arrive(flare_hook hook, const Frame& frame, std::uint8_t how);
  int call(flare_hook hook, std::uint8_t how);

  bool xdp_;
  World world_;
  Look look_;
};

}  // namespace flare::fuzz
