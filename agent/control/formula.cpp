#include "control/formula.h"

#include <algorithm>
#include <cmath>

#include "flare/abi.h"

namespace flare {
namespace {

__extension__ using Wide = unsigned __int128;

constexpr Wide kMrpsPerFlowPerNs = 1'000'000'000'000U;

/// Growth over the last interval; 0 where there was none, or where it may well be noise.
std::uint64_t growth_mrps(const FormulaInput& input, std::uint64_t now_mrps) {
  if (input.elapsed_before_ns == 0) return 0;
  const std::uint64_t before_mrps = rate_mrps(input.arrivals_before, input.elapsed_before_ns);
  if (now_mrps <= before_mrps) return 0;
  const std::uint64_t growth = now_mrps - before_mrps;
  if (input.significance > 0) {
    const double flows = static_cast<double>(growth) * static_cast<double>(input.elapsed_ns) /
                         static_cast<double>(kMrpsPerFlowPerNs);
    const double deviation = std::sqrt(static_cast<double>(input.arrivals));
    if (flows <= input.significance * deviation) return 0;
  }
  return growth;
}

}  // namespace

std::uint64_t rate_mrps(std::uint64_t flows, std::uint64_t elapsed_ns) {
  if (elapsed_ns == 0) return 0;
  const Wide rate = Wide{flows} * kMrpsPerFlowPerNs / elapsed_ns;
  return static_cast<std::uint64_t>(std::min(rate, Wide{UINT64_MAX / 2}));
}

std::uint64_t count_in(std::uint64_t rate_mrps, std::uint64_t elapsed_ns) {
  const Wide count = (Wide{rate_mrps} * elapsed_ns + kMrpsPerFlowPerNs / 2) / kMrpsPerFlowPerNs;
  return static_cast<std::uint64_t>(std::min(count, Wide{UINT64_MAX / 2}));
}

std::uint64_t share_from_fraction(double fraction) {
  if (!(fraction > 0)) return 0;
  if (fraction >= 1) return FLARE_SHARE_ONE;
  return static_cast<std::uint64_t>(std::llround(fraction * static_cast<double>(FLARE_SHARE_ONE)));
}

double share_to_fraction(std::uint64_t share) {
  return static_cast<double>(share) / static_cast<double>(FLARE_SHARE_ONE);
}

std::uint64_t share_beyond(std::uint64_t load_mrps, std::uint64_t capacity_mrps) {
  if (load_mrps <= capacity_mrps) return 0;
  return static_cast<std::uint64_t>(Wide{load_mrps - capacity_mrps} * FLARE_SHARE_ONE / load_mrps);
}

FormulaOutput formula(const FormulaInput& input) {
  FormulaOutput output;
  output.arrivals_mrps = rate_mrps(input.arrivals, input.elapsed_ns);
  output.load_mrps = output.arrivals_mrps + growth_mrps(input, output.arrivals_mrps);
  output.share = share_beyond(output.load_mrps, input.capacity_mrps);
  return output;
}

}  // namespace flare
