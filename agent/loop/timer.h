// A repeating timer as an event.
#pragma once

#include <chrono>
#include <functional>

#include "base/result.h"
#include "base/unique_fd.h"
#include "loop/event_loop.h"

namespace flare {

/// Calls back every period of CLOCK_MONOTONIC, once however many periods were missed.
class Timer {
 public:
  static Result<std::unique_ptr<Timer>> every(EventLoop& loop, std::chrono::nanoseconds period,
                                              std::function<void()> callback);
  /// Fires once, `delay` after each restart(); the timer starts stopped.
  static Result<std::unique_ptr<Timer>> once(EventLoop& loop, std::function<void()> callback);

  /// Starts a new first period now: of every(), or of once().
  Result<void> restart(std::chrono::nanoseconds first);
  Result<void> set_period(std::chrono::nanoseconds period);

  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer();

 private:
  Timer(EventLoop& loop, UniqueFd fd) : loop_(loop), fd_(std::move(fd)) {}
  static Result<std::unique_ptr<Timer>> make(EventLoop& loop, std::function<void()> callback);
  Result<void> arm(std::chrono::nanoseconds first);

  EventLoop& loop_;
  UniqueFd fd_;
  std::chrono::nanoseconds period_{0};
};

}  // namespace flare
