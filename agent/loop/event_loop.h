// The one thread's loop over descriptors: epoll, with a callback for each descriptor.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>

#include "base/result.h"
#include "base/unique_fd.h"

namespace flare {

/// Calls back when descriptors are ready. A callback may watch and forget any descriptor, its own
/// too. Everything that watches must go before the loop does.
class EventLoop {
 public:
  /// Gets the epoll events that are ready.
  using Callback = std::function<void(std::uint32_t events)>;

  static Result<EventLoop> make();

  /// Calls `callback` whenever one of `events` (EPOLLIN, ...) holds for `fd`, which stays the
  /// caller's and must be forgotten before it is closed.
  Result<void> watch(int fd, std::uint32_t events, Callback callback);
  /// Changes the events that `fd` is watched for.
  Result<void> rewatch(int fd, std::uint32_t events);
  void forget(int fd);

  /// Waits up to `timeout_ms` (-1: without end) and runs what is ready.
  Result<void> turn(int timeout_ms);
  /// Turns until stop() is called.
  Result<void> run();
  void stop() { stopped_ = true; }

 private:
  explicit EventLoop(UniqueFd epoll) : epoll_(std::move(epoll)) {}

  UniqueFd epoll_;
  std::unordered_map<int, std::shared_ptr<Callback>> callbacks_;
  bool stopped_ = false;
};

}  // namespace flare
