#include "loop/signals.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>

#include <cerrno>
#include <csignal>
#include <utility>

namespace flare {

Result<std::unique_ptr<Signals>> Signals::handle(EventLoop& loop,
                                                 std::initializer_list<int> numbers,
                                                 std::function<void(int)> callback) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : numbers) ::sigaddset(&set, number);
  if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) {
    return Error::from_errno("cannot block signals", errno);
  }
  UniqueFd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return Error::from_errno("cannot make a signal descriptor", errno);

  const int number = fd.get();
  std::unique_ptr<Signals> signals(new Signals(loop, std::move(fd)));
  auto watched = loop.watch(number, EPOLLIN, [number, call = std::move(callback)](std::uint32_t) {
    signalfd_siginfo info{};
    if (::read(number, &info, sizeof(info)) == sizeof(info)) call(static_cast<int>(info.ssi_signo));
  });
  if (!watched) return watched.error();
  return signals;
}

Signals::~Signals() { loop_.forget(fd_.get()); }

}  // namespace flare
