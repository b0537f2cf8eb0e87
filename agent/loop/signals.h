// Signals as events.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>

#include "base/result.h"
#include "base/unique_fd.h"
#include "loop/event_loop.h"

namespace flare {

/// Blocks some signals for the thread and hands them to a callback from the loop instead.
class Signals {
 public:
  static Result<std::unique_ptr<Signals>> handle(EventLoop& loop,
                                                 std::initializer_list<int> numbers,
                                                 std::function<void(int number)> callback);
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  ~Signals();

 private:
  Signals(EventLoop& loop, UniqueFd fd) : loop_(loop), fd_(std::move(fd)) {}

  EventLoop& loop_;
  UniqueFd fd_;
};

}  // namespace flare
