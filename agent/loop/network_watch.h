// Changes of this network namespace's interfaces and addresses as events.
#pragma once

#include <functional>
#include <memory>

#include "base/result.h"
#include "base/unique_fd.h"
#include "loop/event_loop.h"

namespace flare {

/// What changed since the last call; what it is now is for the called to look up.
struct NetworkChange {
  bool links = false;      ///< an interface came, went, or changed, its name perhaps
  bool addresses = false;  ///< of either family
};

/// Calls back once for all that the kernel told meanwhile. Where it told more than there was room
/// for, both have changed.
class NetworkWatch {
 public:
  /// Changes from now on.
  static Result<std::unique_ptr<NetworkWatch>> on(EventLoop& loop,
                                                  std::function<void(NetworkChange)> callback);
  NetworkWatch(const NetworkWatch&) = delete;
  NetworkWatch& operator=(const NetworkWatch&) = delete;
  ~NetworkWatch();

  /// For tests that fill its room.
  int fd() const { return fd_.get(); }

 private:
  NetworkWatch(EventLoop& loop, UniqueFd fd, std::function<void(NetworkChange)> callback)
      : loop_(loop), fd_(std::move(fd)), callback_(std::move(callback)) {}
  void on_events();

  EventLoop& loop_;
  UniqueFd fd_;
  std::function<void(NetworkChange)> callback_;
};

}  // namespace flare
