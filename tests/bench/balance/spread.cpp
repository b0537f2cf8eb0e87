#include "spread.h"

#include <cmath>
#include <numeric>

#include "arena.h"
#include "lab/common/random.h"

namespace flare::bench {
namespace {

/// Fewer flows than the table of unfinished handshakes has room for.
constexpr std::uint32_t kBatch = 16'384;

std::vector<std::uint32_t> random_weights(const SpreadPlan& plan) {
  lab::Random random = lab::random_of(plan.seed, 0);
  std::vector<std::uint32_t> weights;
  for (std::uint32_t i = 0; i < plan.backends; ++i)
    weights.push_back(1 + static_cast<std::uint32_t>(random.next() % plan.weight_max));
  return weights;
}

std::vector<double> parts_of(const std::vector<std::uint32_t>& counts) {
  const double sum = std::accumulate(counts.begin(), counts.end(), 0.0);
  std::vector<double> parts;
  for (const std::uint32_t count : counts) parts.push_back(count / sum);
  return parts;
}

Deviation deviation(const std::vector<std::uint32_t>& flows, const std::vector<double>& parts) {
  const double sum = std::accumulate(flows.begin(), flows.end(), 0.0);
  Deviation found;
  for (std::uint32_t i = 0; i < flows.size(); ++i) {
    const double sigma = std::sqrt(sum * parts[i] * (1 - parts[i]));
    const double off = std::abs(flows[i] - sum * parts[i]) / sigma;
    if (off > 3) ++found.beyond_3;
    if (off > found.largest) found = {off, i, found.beyond_3};
  }
  return found;
}

double chi_square(const std::vector<std::uint32_t>& flows, const std::vector<double>& parts) {
  const double sum = std::accumulate(flows.begin(), flows.end(), 0.0);
  double total = 0;
  for (std::size_t i = 0; i < flows.size(); ++i)
    total += std::pow(flows[i] - sum * parts[i], 2) / (sum * parts[i]);
  return total;
}

}  // namespace

Spread measure_spread(World& world, Family family, const SpreadPlan& plan) {
  Arena arena(world, family, random_weights(plan), FLARE_SELECT_HASH);
  lab::Random random = lab::random_of(plan.seed, 1);
  std::vector<std::uint32_t> flows(plan.backends);
  Spread made;
  made.family = family;
  for (std::uint32_t from = 0; from < plan.flows; from += kBatch) {
    const std::uint32_t batch = std::min(kBatch, plan.flows - from);
    for (std::uint32_t i = 0; i < batch; ++i)
      ++flows[arena.open(arena.client(random.next())).backend];
    made.flows += arena.traffic().flows_new;
    arena.forget();
  }
  const std::vector<std::uint32_t> slots = arena.slots();
  const std::vector<double> of_table = parts_of(slots), of_weight = parts_of(arena.weights());
  made.slots = std::accumulate(slots.begin(), slots.end(), 0U);
  for (std::size_t i = 0; i < slots.size(); ++i)
    made.table_error = std::max(made.table_error, std::abs(of_table[i] - of_weight[i]));
  made.of_table = deviation(flows, of_table);
  made.of_weight = deviation(flows, of_weight);
  made.chi_square = chi_square(flows, of_table);
  const double freedom = plan.backends - 1;
  made.bounds = {
      {"every flow was a new one, but for one in 100,000",
       made.flows + plan.flows / 100'000 >= plan.flows},
      {"parts of slots are the weights' to 1/1024 of the tier", made.table_error <= 1.0 / 1024},
      {"every share is within 3 sigma of its part of slots", made.of_table.beyond_3 == 0},
      {"chi-square of all shares is within 4 sigma of what it should be",
       std::abs(made.chi_square - freedom) <= 4 * std::sqrt(2 * freedom)},
  };
  return made;
}

}  // namespace flare::bench
