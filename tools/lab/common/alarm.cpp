#include "common/alarm.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace flare::lab {

Result<std::unique_ptr<Alarm>> Alarm::make(EventLoop& loop, std::function<void()> callback) {
  UniqueFd fd(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!fd) return Error::from_errno("cannot make a timer", errno);
  const int number = fd.get();
  std::unique_ptr<Alarm> alarm(new Alarm(loop, std::move(fd)));
  Alarm* const self = alarm.get();
  auto watched =
      loop.watch(number, EPOLLIN, [self, number, call = std::move(callback)](std::uint32_t) {
        std::uint64_t fired = 0;
        if (::read(number, &fired, sizeof(fired)) != sizeof(fired)) return;
        self->when_ns_.reset();
        call();
      });
  if (!watched) return watched.error();
  return alarm;
}

Alarm::~Alarm() { loop_.forget(fd_.get()); }

void Alarm::set(std::optional<std::uint64_t> when_ns) {
  if (when_ns == when_ns_) return;
  when_ns_ = when_ns;
  // A zero time would disarm the timer, so the past begins at 1 ns.
  const std::uint64_t at = when_ns ? std::max<std::uint64_t>(*when_ns, 1) : 0;
  itimerspec spec{};
  spec.it_value.tv_sec = static_cast<time_t>(at / 1'000'000'000);
  spec.it_value.tv_nsec = static_cast<long>(at % 1'000'000'000);
  ::timerfd_settime(fd_.get(), TFD_TIMER_ABSTIME, &spec, nullptr);
}

}  // namespace flare::lab
