#include "eval/sim/run.h"

#include <algorithm>

#include "common/rate_file.h"
#include "trace/window.h"

namespace flare::eval {
namespace {

constexpr int kHoldSeconds = 30;
constexpr int kSpikeSeconds = 150;
constexpr int kCalmPods = 8;

/// The lab's record of each request, so that the lab's own summary measures it.
class Records final : public Sink {
 public:
  explicit Records(std::size_t expected) { records_.reserve(expected); }

  void take(const Served& served) override {
    lab::RequestRecord record;
    record.number = served.number;
    record.intended_ns = served.intended_ns;
    record.sent_us = 0;
    record.work_us = served.work_us;
    record.outcome = served.answered ? lab::Outcome::kOk : lab::Outcome::kTimeout;
    record.tier = served.tier == FLARE_TIER_VM ? lab::Tier::kVm : lab::Tier::kServerless;
    if (served.answered) {
      record.done_us = static_cast<std::uint32_t>((served.done_ns - served.intended_ns) / 1000);
    }
    records_.push_back(record);
  }
  const std::vector<lab::RequestRecord>& all() const { return records_; }

 private:
  std::vector<lab::RequestRecord> records_;
};

Load load_of(lab::Window window, int onset_s) {
  Load load;
  load.rates = std::move(window.rates);
  load.onset_s = onset_s;
  return load;
}

/// The moving mean of three seconds needs one more at each end.
constexpr int kEdge = 1;

/// A trace without a spike, scaled and smoothed as cut_window() would.
std::vector<double> calm_rates(const std::vector<double>& trace, const lab::WindowConfig& config) {
  std::vector<double> calm(trace.begin(), trace.begin() + config.calm_seconds);
  std::sort(calm.begin(), calm.end());
  const double scale = config.calm_rps / calm[calm.size() / 2];
  std::vector<double> rates;
  for (std::size_t at = kEdge; at + kEdge < trace.size(); ++at) {
    rates.push_back(scale * (trace[at - 1] + trace[at] + trace[at + 1]) / 3);
  }
  return rates;
}

}  // namespace

RunOutcome run(const RunConfig& config) {
  const auto plan = lab::RatePlan::with_lead_in(config.load.rates, config.load.lead_in);
  const std::uint64_t seed = config.load.seed.value_or(config.node.seed);
  const auto arrivals =
      config.load.users ? lab::user_arrivals(plan, seed) : lab::open_arrivals(plan, seed);
  NodeConfig node = config.node;
  if (config.load.onset_s >= 0) {
    node.fleet.hpa.hold_until_ns = (config.load.onset_s - kHoldSeconds) * kSecondNs;
  }
  double expected = 0;
  for (const double rate : plan.rates) expected += rate;
  Records records(static_cast<std::size_t>(expected * 1.02) + 1000);
  const std::int64_t end_ns = plan.end_second() * kSecondNs;

  RunOutcome outcome;
  outcome.node = SimNode(node, plan.start_ns()).run(*arrivals, records, end_ns);
  lab::SummaryConfig measured;
  measured.seconds = plan.end_second();
  measured.objective_ms = config.objective_ms;
  measured.timeout_ns = node.timeout_ns;
  outcome.summary = lab::summarise(records.all(), measured);
  if (config.load.onset_s >= 0) {
    const auto& seconds = outcome.summary.seconds;
    const auto from = static_cast<std::size_t>(config.load.onset_s);
    for (std::size_t at = from; at < std::min(from + kSpikeSeconds, seconds.size()); ++at) {
      outcome.over_after_onset += seconds[at].over_objective;
      outcome.after_onset += seconds[at].requests;
    }
  }
  const lab::Tally& total = outcome.summary.total;
  outcome.serverless_usd = lab::lambda_usd({}, total.serverless, total.serverless_billed_ms);
  const auto nodes = [&](int pods) {
    const int per_node = node.fleet.cluster.pods_per_node;
    return static_cast<std::uint32_t>((pods + per_node - 1) / per_node);
  };
  outcome.node_seconds = node_seconds(nodes(node.machines.pods), outcome.node.fleet, 0, end_ns);
  outcome.calm_node_seconds = nodes(kCalmPods) * static_cast<double>(end_ns) / 1e9;
  return outcome;
}

Result<Load> spike_load(const std::string& file, int before_s, int after_s) {
  const auto trace = lab::read_rate_file(file);
  if (!trace) return trace.error();
  lab::WindowConfig config;
  config.before = before_s;
  config.after = after_s;
  auto window = lab::cut_window(*trace, config);
  if (!window) return window.error().within(file);
  return load_of(std::move(*window), before_s);
}

Result<Load> hour_load(const std::string& file) {
  const auto trace = lab::read_rate_file(file);
  if (!trace) return trace.error();
  lab::WindowConfig config;
  const auto found = lab::cut_window(*trace, config);
  if (!found) {
    if (trace->size() <= static_cast<std::size_t>(config.calm_seconds)) return found.error();
    Load load;
    load.rates = calm_rates(*trace, config);
    return load;
  }
  config.before = found->onset - kEdge;
  config.after = static_cast<int>(trace->size()) - found->onset - kEdge;
  auto window = lab::cut_window(*trace, config);
  if (!window) return window.error().within(file);
  return load_of(std::move(*window), config.before);
}

Load steady_load(double rps, int seconds) {
  Load load;
  load.rates.assign(static_cast<std::size_t>(seconds), rps);
  return load;
}

std::optional<int> recovery_s(const lab::Summary& summary, int onset_s, double objective_ms) {
  constexpr int kCalm = 10;
  int calm = 0;
  for (auto at = static_cast<std::size_t>(onset_s); at < summary.seconds.size(); ++at) {
    const auto& p95 = summary.seconds[at].latencies.p95_ms;
    calm = p95 && *p95 <= objective_ms ? calm + 1 : 0;
    if (calm == kCalm) return static_cast<int>(at) - onset_s - kCalm + 1;
  }
  return std::nullopt;
}

}  // namespace flare::eval
