// One case after another, round by round, each beside its floor; and the judgement whether a run
// counts: every packet must have got the verdict and the reason that the case is about.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cases.h"
#include "programs.h"

namespace flare::bench {

/// Median, least and most of some rounds.
struct Spread {
  double median = 0, min = 0, max = 0;
};
Spread spread_of(std::vector<double> values);

/// A case's figures. `ns` is what the shipped program takes for a packet, the kernel's test loop
/// included, as it is in the floor: core - (restore - floor), of one round each.
struct Outcome {
  Case what;
  Spread ns, ratio;
  double core_ns = 0;  ///< medians of what was subtracted from what
  double restore_ns = 0;
  double floor_ns = 0;
  std::optional<double> shipped_ns;  ///< the product's own program on the same packet, unsubtracted
  std::uint64_t packets = 0;         ///< all of `what.reason`
  std::array<std::uint64_t, BENCH_VERDICTS> verdicts{};
};

struct MeasureOptions {
  std::uint32_t rounds = 7;
  std::function<bool(const Case&)> wanted;
  std::function<void(const std::string&)> progress;
};

/// Throws std::runtime_error where a packet got another verdict or reason: the run is void.
std::vector<Outcome> measure_all(World& world, Programs& programs, const MeasureOptions& options);

}  // namespace flare::bench
