// A VM tier as a queue: `workers` serve first come, first served; what finds the cap's requests in
// flight goes elsewhere. Time is simulated, one second a call, and the same seed gives the same
// run.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <queue>
#include <random>
#include <vector>

#include "control/limiter.h"

namespace flare::test {

/// How a request's time in a worker is spread: lognormal, so that the mean is what is asked for.
struct Work {
  double mean_s = 0.073;
  double sigma = 0.30;
};

/// What a second looked like, by the requests that came in it.
struct Second {
  std::uint32_t cap = 0;
  std::uint64_t arrivals = 0;
  std::uint64_t spilled = 0;
  std::vector<double> took_s;  ///< of those that stayed

  double p95_s() {
    if (took_s.empty()) return 0;
    const auto rank = static_cast<std::size_t>(std::ceil(0.95 * double(took_s.size()))) - 1;
    std::nth_element(took_s.begin(), took_s.begin() + std::ptrdiff_t(rank), took_s.end());
    return took_s[rank];
  }
};

class SimulatedTier {
 public:
  SimulatedTier(std::uint32_t workers, std::uint64_t seed) : random_(seed) { set_workers(workers); }

  Work work;
  bool enforced = true;
  /// Of the arrivals, those on connections that are open, which nothing can send elsewhere.
  double tied = 0;
  Limiter limiter;

  /// Workers that come are idle; of those that go, the busiest.
  void set_workers(std::uint32_t workers) {
    std::sort(free_at_.begin(), free_at_.end());
    free_at_.resize(workers, now_);
    std::make_heap(free_at_.begin(), free_at_.end(), std::greater<>());
  }

  /// One second of Poisson arrivals at `rate`, then one step of the limiter.
  Second second(double rate) {
    Second seen;
    seen.cap = limiter.cap();
    LimiterInput input;
    // A timer is early or late by a little, and sometimes by an eighth of a second.
    input.elapsed_ns = jitter(++steps_);
    input.enforced = enforced;
    const double end = now_ + double(input.elapsed_ns) / 1e9;
    for (double at = now_ + gap(rate); at < end; at += gap(rate)) {
      finish(at, input);
      ++seen.arrivals;
      const double service = service_s();
      if (seen.cap > 0 && ending_.size() >= seen.cap) {
        input.bound = true;
        if (enforced && std::uniform_real_distribution<>(0, 1)(random_) >= tied) {
          ++seen.spilled;
          continue;
        }
      }
      std::pop_heap(free_at_.begin(), free_at_.end(), std::greater<>());
      const double done = std::max(at, free_at_.back()) + service;
      free_at_.back() = done;
      std::push_heap(free_at_.begin(), free_at_.end(), std::greater<>());
      ending_.push({done, done - at});
      seen.took_s.push_back(done - at);
    }
    finish(end, input);
    now_ = end;
    limiter.step(input);
    return seen;
  }

 private:
  static std::uint64_t jitter(std::uint64_t step) {
    return 1'000'000'000 - (step % 2) * 200'000 - (step % 16 == 0 ? 125'000'000 : 0);
  }
  struct Request {
    double done = 0;
    double took = 0;
    bool operator>(const Request& other) const { return done > other.done; }
  };

  double gap(double rate) { return std::exponential_distribution<>(rate)(random_); }
  double service_s() {
    const double middle = std::log(work.mean_s) - work.sigma * work.sigma / 2;
    return std::lognormal_distribution<>(middle, work.sigma)(random_);
  }
  void finish(double at, LimiterInput& input) {
    for (; !ending_.empty() && ending_.top().done <= at; ending_.pop()) {
      ++input.answers;
      ++input.timed;
      input.time_ns += static_cast<std::uint64_t>(ending_.top().took * 1e9);
    }
  }

  std::uint64_t steps_ = 0;
  std::mt19937_64 random_;
  double now_ = 0;
  std::vector<double> free_at_;  ///< a heap
  std::priority_queue<Request, std::vector<Request>, std::greater<>> ending_;
};

}  // namespace flare::test
