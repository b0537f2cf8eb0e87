// Where the programs should run on a device, and why: a pure decision, and the words for a refusal.
#pragma once

#include <string>

#include "base/result.h"
#include "flare/abi.h"
#include "kernel/device.h"

namespace flare {

struct AttachPlan {
  flare_attach_mode mode = FLARE_ATTACH_TC;  ///< XDP or TC: what to try first
  bool may_fall_back = false;                ///< from XDP to tc, when the driver refuses
  std::string why;                           ///< a sentence
};

/// `holder` names the program on the XDP hook where it is somebody else's, else it is empty.
/// Fails for devices whose packets have no Ethernet header.
Result<AttachPlan> plan_attach(const Device& device, flare_attach_mode requested,
                               const std::string& holder);

/// Why native XDP could not be attached to `device`, without a full stop.
std::string xdp_refusal(const Device& device, int errno_value, const std::string& holder);

}  // namespace flare
