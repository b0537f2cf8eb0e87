#include "loop/timer.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace flare {
namespace {

timespec to_timespec(std::chrono::nanoseconds duration) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration);
  return {seconds.count(), (duration - seconds).count()};
}

}  // namespace

Result<std::unique_ptr<Timer>> Timer::make(EventLoop& loop, std::function<void()> callback) {
  UniqueFd fd(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!fd) return Error::from_errno("cannot make a timer", errno);
  const int number = fd.get();
  std::unique_ptr<Timer> timer(new Timer(loop, std::move(fd)));
  auto watched = loop.watch(number, EPOLLIN, [number, call = std::move(callback)](std::uint32_t) {
    std::uint64_t missed = 0;
    if (::read(number, &missed, sizeof(missed)) == sizeof(missed)) call();
  });
  if (!watched) return watched.error();
  return timer;
}

Result<std::unique_ptr<Timer>> Timer::every(EventLoop& loop, std::chrono::nanoseconds period,
                                            std::function<void()> callback) {
  auto timer = make(loop, std::move(callback));
  if (!timer) return timer;
  auto set = (*timer)->set_period(period);
  if (!set) return set.error();
  return timer;
}

Result<std::unique_ptr<Timer>> Timer::once(EventLoop& loop, std::function<void()> callback) {
  return make(loop, std::move(callback));
}

Result<void> Timer::arm(std::chrono::nanoseconds first) {
  itimerspec spec{};
  spec.it_value = to_timespec(first);
  spec.it_interval = to_timespec(period_);
  if (::timerfd_settime(fd_.get(), 0, &spec, nullptr) != 0) {
    return Error::from_errno("cannot set a timer", errno);
  }
  return {};
}

Result<void> Timer::restart(std::chrono::nanoseconds first) { return arm(first); }

Result<void> Timer::set_period(std::chrono::nanoseconds period) {
  period_ = period;
  return arm(period);
}

Timer::~Timer() { loop_.forget(fd_.get()); }

}  // namespace flare
