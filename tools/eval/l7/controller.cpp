#include "eval/l7/controller.h"

#include <cmath>

#include "control/formula.h"

namespace flare::eval {

ControllerState Controller::step(const ProxyCounts& counts, std::uint64_t now_ns) {
  const bool counted = last_requests_ && counts.requests >= *last_requests_ && now_ns > last_ns_;
  if (counted) {
    FormulaInput input;
    input.arrivals = counts.requests - *last_requests_;
    input.arrivals_before = arrivals_before_;
    input.elapsed_ns = now_ns - last_ns_;
    input.elapsed_before_ns = elapsed_before_ns_;
    state_.capacity_rps = config_.pod_capacity_rps * counts.vm_servers_up;
    input.capacity_mrps = static_cast<std::uint64_t>(std::llround(state_.capacity_rps * 1000));
    input.significance = config_.significance;
    const FormulaOutput output = formula(input);
    state_.arrivals_rps = static_cast<double>(output.arrivals_mrps) / 1000;
    state_.wanted = share_to_fraction(output.share);
    under_way_.push_back({now_ns + config_.lag_ns, state_.wanted});
    arrivals_before_ = input.arrivals;
    elapsed_before_ns_ = input.elapsed_ns;
  } else {
    elapsed_before_ns_ = 0;
  }
  last_requests_ = counts.requests;
  last_ns_ = now_ns;
  while (!under_way_.empty() && under_way_.front().in_force_ns <= now_ns) {
    state_.applied = under_way_.front().share;
    under_way_.pop_front();
  }
  return state_;
}

}  // namespace flare::eval
