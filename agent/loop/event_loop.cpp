#include "loop/event_loop.h"

#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <utility>

namespace flare {

Result<EventLoop> EventLoop::make() {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return Error::from_errno("cannot make an epoll descriptor", errno);
  return EventLoop(std::move(epoll));
}

Result<void> EventLoop::watch(int fd, std::uint32_t events, Callback callback) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return Error::from_errno("cannot watch a descriptor", errno);
  }
  callbacks_[fd] = std::make_shared<Callback>(std::move(callback));
  return {};
}

Result<void> EventLoop::rewatch(int fd, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) != 0) {
    return Error::from_errno("cannot change what a descriptor is watched for", errno);
  }
  return {};
}

void EventLoop::forget(int fd) {
  if (callbacks_.erase(fd) > 0) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

Result<void> EventLoop::turn(int timeout_ms) {
  std::array<epoll_event, 64> ready{};
  const int count =
      ::epoll_wait(epoll_.get(), ready.data(), static_cast<int>(ready.size()), timeout_ms);
  if (count < 0) {
    if (errno == EINTR) return {};
    return Error::from_errno("cannot wait for events", errno);
  }
  // A callback may close a descriptor whose event is in this batch and open another with its
  // number; the stored callback tells them apart.
  std::array<std::weak_ptr<Callback>, 64> wanted;
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    const auto found = callbacks_.find(ready[i].data.fd);
    if (found != callbacks_.end()) wanted[i] = found->second;
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    if (const auto callback = wanted[i].lock()) (*callback)(ready[i].events);
  }
  return {};
}

Result<void> EventLoop::run() {
  while (!stopped_) {
    auto turned = turn(-1);
    if (!turned) return turned.error();
  }
  return {};
}

}  // namespace flare
