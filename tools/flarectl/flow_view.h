// Spilled flows, both entries of each put together.
#pragma once

#include <functional>

#include "base/result.h"
#include "flarectl/view.h"
#include "kernel/flow_sweep.h"

namespace flare::ctl {

struct FlowView {
  flare_flow_key client{};  ///< as the client's packets arrive
  flare_flow forward{};
  std::optional<flare_flow> reverse;
  FlowAge age;
};

/// Calls `visit` for each flow, of `flows` and of `embryos`, until it returns false.
Result<void> for_each_flow(const Maps& maps, const std::function<bool(const FlowView&)>& visit);

}  // namespace flare::ctl
