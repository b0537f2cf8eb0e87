#include "control/cap.h"

#include "control/formula.h"

namespace flare {

std::uint32_t cap_of(std::uint32_t workers) { return workers + (workers + 1) / 2; }

std::uint64_t learned_capacity_mrps(std::uint64_t believed_mrps, const CapInput& input) {
  const bool saturated = input.busy * 5 > input.requests * 4;
  if (saturated && input.answers > 0) {
    const std::uint64_t measured = rate_mrps(input.answers, input.elapsed_ns);
    return believed_mrps == 0 ? measured : believed_mrps / 2 + measured / 2;
  }
  if (input.early_bucket > 0) return believed_mrps + believed_mrps / 20;
  return believed_mrps;
}

}  // namespace flare
