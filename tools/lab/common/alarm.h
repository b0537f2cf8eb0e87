// One absolute point in time as an event: what the lab's schedules wake up by.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "base/result.h"
#include "base/unique_fd.h"
#include "loop/event_loop.h"

namespace flare::lab {

/// Calls back once when CLOCK_MONOTONIC reaches the time that was set last.
class Alarm {
 public:
  static Result<std::unique_ptr<Alarm>> make(EventLoop& loop, std::function<void()> callback);
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;
  ~Alarm();

  /// Replaces the time; one that has passed fires at once, none never. Setting the same is free.
  void set(std::optional<std::uint64_t> when_ns);

 private:
  Alarm(EventLoop& loop, UniqueFd fd) : loop_(loop), fd_(std::move(fd)) {}

  EventLoop& loop_;
  UniqueFd fd_;
  std::optional<std::uint64_t> when_ns_;
};

}  // namespace flare::lab
