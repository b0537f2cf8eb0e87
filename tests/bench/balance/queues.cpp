#include "queues.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <numeric>
#include <queue>
#include <stdexcept>

#include "arena.h"
#include "lab/common/percentile.h"
#include "lab/common/random.h"

namespace flare::bench {
namespace {

constexpr std::array kFractions{0.5, 0.95, 0.99};
constexpr std::uint32_t kSampleEvery = 10;  ///< arrivals; each sample is of every backend

struct Request {
  double arrival = 0;
  double service = 0;  ///< time; mean 1
  Connection connection;
};

struct Backend {
  std::uint32_t workers = 0;
  std::uint32_t in_flight = 0;
  std::deque<std::uint32_t> waiting;  ///< requests, the oldest first
};

Quantiles quantiles_of(std::vector<double>& samples) {
  std::sort(samples.begin(), samples.end());
  Quantiles found{};
  for (std::size_t i = 0; i < kFractions.size(); ++i)
    found[i] = lab::nearest_rank(std::span<const double>(samples), kFractions[i]);
  found.back() = samples.back();
  return found;
}

/// A run of it. Service times are exponential, so that theory knows what `hash` comes to.
class Simulation {
 public:
  Simulation(Arena& arena, const QueueCase& set, const QueuePlan& plan)
      : arena_(arena), weights_(set.weights), requests_(plan.requests) {
    std::uint64_t workers = 0;
    for (const std::uint32_t weight : weights_) {
      backends_.push_back({weight * set.workers_of_one, 0, {}});
      workers += backends_.back().workers;
    }
    lab::Random random = lab::random_of(plan.seed, 2);
    double time = 0;
    for (Request& request : requests_) {
      time += random.exponential() / (plan.utilisation * static_cast<double>(workers));
      request = {time, random.exponential(), {}};
      request.connection.client = arena.client(random.next());
    }
  }

  Queueing run() {
    const std::size_t warm = requests_.size() / 10;
    for (std::uint32_t i = 0; i < requests_.size(); ++i) {
      end_until(requests_[i].arrival);
      if (i >= warm && i % kSampleEvery == 0) sample();
      arrive(i);
    }
    end_until(std::numeric_limits<double>::infinity());
    sample();  // all are idle again, which the datapath must see
    in_flight_.resize(in_flight_.size() - weights_.size());
    waits_.erase(waits_.begin(), waits_.begin() + static_cast<std::ptrdiff_t>(warm));
    const auto waited = std::count_if(waits_.begin(), waits_.end(), [](double w) { return w > 0; });
    Queueing made;
    made.waited = static_cast<double>(waited) / static_cast<double>(waits_.size());
    made.in_flight = quantiles_of(in_flight_);
    made.waiting = quantiles_of(waits_);
    return made;
  }

 private:
  void arrive(std::uint32_t number) {
    Request& request = requests_[number];
    request.connection = arena_.open(request.connection.client);
    arena_.ask(request.connection);
    Backend& backend = backends_[request.connection.backend];
    if (backend.in_flight++ < backend.workers)
      start(number, request.arrival);
    else
      backend.waiting.push_back(number);
  }
  void start(std::uint32_t number, double now) {
    waits_.push_back(now - requests_[number].arrival);
    ends_.emplace(now + requests_[number].service, number);
  }
  void end_until(double time) {
    while (!ends_.empty() && ends_.top().first <= time) {
      const auto [now, number] = ends_.top();
      ends_.pop();
      arena_.answer(requests_[number].connection);
      Backend& backend = backends_[requests_[number].connection.backend];
      --backend.in_flight;
      if (backend.waiting.empty()) continue;
      start(backend.waiting.front(), now);
      backend.waiting.pop_front();
    }
  }
  /// Reads what the datapath thinks is in flight, which must be what is.
  void sample() {
    for (std::uint32_t n = 0; n < backends_.size(); ++n) {
      const flare_backend_load load = arena_.load(n);
      if (load.in_flight != backends_[n].in_flight || load.active != backends_[n].in_flight)
        throw std::runtime_error(
            "backend " + std::to_string(n) + " has " + std::to_string(backends_[n].in_flight) +
            " in flight; the datapath counts " + std::to_string(load.in_flight) + " requests and " +
            std::to_string(load.active) + " flows");
      in_flight_.push_back(static_cast<double>(load.in_flight) / weights_[n]);
    }
  }

  using End = std::pair<double, std::uint32_t>;
  Arena& arena_;
  std::vector<std::uint32_t> weights_;
  std::vector<Request> requests_;
  std::vector<Backend> backends_;
  std::priority_queue<End, std::vector<End>, std::greater<>> ends_;
  std::vector<double> in_flight_, waits_;
};

/// In flight for each unit of weight, where every backend is an M/M/c queue of its own.
Quantiles theory_of(const QueueCase& set, double utilisation) {
  std::vector<std::pair<double, double>> parts;  // value, probability
  for (const std::uint32_t weight : set.weights) {
    const std::uint32_t workers = weight * set.workers_of_one;
    std::vector<double> terms{1};
    for (std::uint32_t n = 1; n < 40 * workers; ++n)
      terms.push_back(terms.back() * utilisation * workers / std::min(n, workers));
    const double sum = std::accumulate(terms.begin(), terms.end(), 0.0);
    for (std::size_t n = 0; n < terms.size(); ++n)
      parts.emplace_back(static_cast<double>(n) / weight,
                         terms[n] / sum / static_cast<double>(set.weights.size()));
  }
  std::sort(parts.begin(), parts.end());
  Quantiles found{};
  found.back() = std::nan("");
  for (std::size_t i = 0; i < kFractions.size(); ++i) {
    double below = 0;
    for (const auto& [value, probability] : parts) {
      below += probability;
      found[i] = value;
      if (below >= kFractions[i]) break;
    }
  }
  return found;
}

void judge(QueueCase& set) {
  set.bounds = {
      {"hash: P99 in flight is M/M/c's to 15 %",
       std::abs(set.hash.in_flight[2] / set.theory[2] - 1) <= 0.15},
      {"least: P99 in flight is at most 2/3 of that of hash",
       set.least.in_flight[2] <= set.hash.in_flight[2] * 2 / 3},
      {"least: the most in flight is less than that of hash",
       set.least.in_flight[3] < set.hash.in_flight[3]},
      {"least: P99 of waiting is at most half of that of hash",
       set.least.waiting[2] <= set.hash.waiting[2] / 2},
  };
}

}  // namespace

std::vector<QueueCase> measure_queues(World& world, const QueuePlan& plan) {
  std::vector<QueueCase> sets(2);
  sets[0].title = "weight 1, 8 workers";
  sets[0].workers_of_one = 8;
  sets[0].weights.assign(plan.backends, 1);
  sets[1].title = "weights 1, 2, 4; 4, 8, 16 workers";
  sets[1].workers_of_one = 4;
  for (std::uint32_t n = 0; n < plan.backends; ++n) sets[1].weights.push_back(1U << n % 3);
  for (QueueCase& set : sets) {
    for (const flare_select select : {FLARE_SELECT_HASH, FLARE_SELECT_LEAST}) {
      Arena arena(world, Family::kV4, set.weights, select);
      (select == FLARE_SELECT_HASH ? set.hash : set.least) = Simulation(arena, set, plan).run();
      arena.forget();
    }
    set.theory = theory_of(set, plan.utilisation);
    judge(set);
  }
  return sets;
}

}  // namespace flare::bench
