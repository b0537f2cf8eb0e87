// Active checks: many backends, each at its own interval, in the agent's one loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "health/check_schedule.h"
#include "health/check_transfer.h"
#include "health/curl_loop.h"
#include "loop/event_loop.h"
#include "loop/timer.h"

namespace flare {

/// What checks may cost: a start of 32 in 10 ms is at most 3,200 a second. Where more backends than
/// that are to be checked, intervals become longer; nothing else waits for them.
struct CheckerLimits {
  std::size_t at_once = 1024;
  std::size_t starts = 32;  ///< in one turn
  std::chrono::milliseconds turn{10};
};

class Checker {
 public:
  using Handler = std::function<void(std::uint64_t key, const CheckResult& result)>;

  /// `loop` and `clock` outlive the checker. `handler` gets each result and may change the plans.
  static Result<std::unique_ptr<Checker>> make(EventLoop& loop, const Clock& clock,
                                               CheckerLimits limits, std::uint64_t seed,
                                               Handler handler);
  Checker(const Checker&) = delete;
  Checker& operator=(const Checker&) = delete;
  ~Checker();

  /// Checks by `plan` from now on. A check that is running by another plan is not told any more.
  void set(std::uint64_t key, const CheckPlan& plan);
  void remove(std::uint64_t key);
  /// Makes the next check now, as there is reason to doubt.
  void hurry(std::uint64_t key);

  /// As CheckSchedule: checks that are late by whole intervals are too many for the limits.
  double lateness() const { return schedule_.lateness(); }
  std::size_t running() const { return running_.size(); }

 private:
  struct Planned {
    CheckPlan plan;
    std::uint64_t version = 0;  ///< never used twice
  };
  struct Running {
    std::unique_ptr<CheckTransfer> transfer;
    std::uint64_t key = 0;
    std::uint64_t version = 0;  ///< of the plan
    std::uint64_t started_ns = 0;
  };

  Checker(EventLoop& loop, const Clock& clock, CheckerLimits limits, std::uint64_t seed,
          Handler handler);
  Result<void> set_up();
  void arm();
  void on_turn();
  Result<void> start(std::uint64_t key, std::uint64_t now_ns);
  void on_done(CURL* easy, CURLcode code);

  EventLoop& loop_;
  const Clock& clock_;
  CheckerLimits limits_;
  Handler handler_;
  CheckSchedule schedule_;
  std::unordered_map<std::uint64_t, Planned> plans_;
  std::uint64_t versions_ = 0;  ///< given so far
  std::unordered_map<CURL*, Running> running_;
  std::vector<std::unique_ptr<CheckTransfer>> idle_;
  std::unique_ptr<CurlLoop> curl_;
  std::unique_ptr<Timer> turn_;
  std::uint64_t not_before_ns_ = 0;  ///< of the next turn
  std::uint64_t armed_ns_ = 0;       ///< when the timer fires; 0: it is stopped
};

}  // namespace flare
