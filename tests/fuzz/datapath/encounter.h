// One packet at one hook: what arrived, what was known of it, and what became of it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "datapath/frame_view.h"

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

}  // namespace flare::fuzz
