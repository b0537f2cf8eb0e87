#include "eval/sim/nodes.h"

#include <algorithm>
#include <ctime>
#include <mutex>

#include "common/random.h"
#include "eval/sim/table.h"
#include "report/price.h"

namespace flare::eval {
namespace {

/// What the requests of a node, or of all, came to.
class Sums final : public Sink {
 public:
  Sums(int seconds, double objective_ms)
      : seconds_(static_cast<std::size_t>(seconds)),
        objective_ns_(static_cast<std::int64_t>(objective_ms * 1e6)) {}

  void take(const Served& served) override {
    ++simulated;
    if (served.intended_ns < 0) return;
    const std::int64_t lasted_ns = served.done_ns - served.intended_ns;
    seconds_[static_cast<std::size_t>(served.intended_ns / kSecondNs)].add(
        static_cast<std::uint64_t>(lasted_ns) / 1000);
    over += lasted_ns > objective_ns_ ? 1 : 0;
    if (served.tier == FLARE_TIER_VM) return;
    ++spilled;
    billed_ms += (served.work_us + 999) / 1000;
  }
  void add(const Sums& other) {
    for (std::size_t at = 0; at < seconds_.size(); ++at) seconds_[at].add(other.seconds_[at]);
    simulated += other.simulated;
    over += other.over;
    spilled += other.spilled;
    billed_ms += other.billed_ms;
  }
  const std::vector<Histogram>& seconds() const { return seconds_; }

  std::uint64_t simulated = 0;
  std::uint64_t over = 0;
  std::uint64_t spilled = 0;
  std::uint64_t billed_ms = 0;

 private:
  std::vector<Histogram> seconds_;
  std::int64_t objective_ns_;
};

void add_excess(NodesOutcome& outcome, const NodesConfig& config,
                const std::vector<double>& shares) {
  const double capacity = config.node.machines.capacity_rps();
  for (const double rate : config.load.rates) {
    outcome.excess += std::max(0.0, rate - capacity) * config.nodes;
    for (const double share : shares) {
      outcome.excess_alone += std::max(0.0, rate * share - capacity);
    }
  }
}

}  // namespace

std::vector<double> shares_of(int nodes, double imbalance, std::uint64_t seed) {
  const double sigma = std::sqrt(std::log1p(imbalance * imbalance));
  std::vector<double> shares;
  double sum = 0;
  for (int node = 0; node < nodes; ++node) {
    shares.push_back(
        std::exp(sigma * lab::random_of(seed, static_cast<std::uint64_t>(node)).normal()));
    sum += shares.back();
  }
  for (double& share : shares) share *= nodes / sum;
  return shares;
}

NodesOutcome run_nodes(const NodesConfig& config) {
  const std::clock_t began = std::clock();
  const auto shares = shares_of(config.nodes, config.imbalance, config.seed);
  const auto seconds = static_cast<int>(config.load.rates.size());
  Sums all(seconds, config.objective_ms);
  std::mutex mutex;
  in_parallel(shares.size(), config.jobs, [&](std::size_t at) {
    auto plan = lab::RatePlan::with_lead_in(config.load.rates, config.load.lead_in);
    for (double& rate : plan.rates) rate *= shares[at];
    NodeConfig node = config.node;
    node.seed = lab::mixed(lab::mixed(config.seed) ^ at);
    Sums own(seconds, config.objective_ms);
    SimNode(node, plan.start_ns())
        .run(*lab::open_arrivals(plan, node.seed), own, seconds * kSecondNs);
    const std::lock_guard lock(mutex);
    all.add(own);
  });

  NodesOutcome outcome;
  for (const Histogram& second : all.seconds()) {
    const double p95_ms = second.rank_ms(0.95);
    outcome.requests += second.total();
    outcome.peak_p95_ms = std::max(outcome.peak_p95_ms, p95_ms);
    outcome.seconds_over += p95_ms > config.objective_ms ? 1 : 0;
  }
  outcome.spilled = all.spilled;
  outcome.over_objective = all.over;
  outcome.simulated = all.simulated;
  outcome.serverless_usd = lab::lambda_usd({}, all.spilled, all.billed_ms);
  add_excess(outcome, config, shares);
  outcome.cpu_s = static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC;
  return outcome;
}

}  // namespace flare::eval
