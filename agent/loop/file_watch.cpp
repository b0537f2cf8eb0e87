#include "loop/file_watch.h"

#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace flare {
namespace {

/// What Kubernetes swaps beside the files of a mounted ConfigMap, which are links through it.
constexpr std::string_view kSwappedLink = "..data";

}  // namespace

Result<std::unique_ptr<FileWatch>> FileWatch::on(EventLoop& loop, const std::filesystem::path& path,
                                                 std::chrono::milliseconds quiet,
                                                 std::function<void()> callback) {
  UniqueFd fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!fd) return Error::from_errno("cannot make an inotify descriptor", errno);
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ATTRIB;
  if (::inotify_add_watch(fd.get(), folder.c_str(), kEvents) < 0) {
    return Error::from_errno("cannot watch '" + folder.string() + "'", errno);
  }

  const int number = fd.get();
  std::unique_ptr<FileWatch> watch(
      new FileWatch(loop, std::move(fd), path.filename().string(), quiet));
  auto settle = Timer::once(loop, std::move(callback));
  if (!settle) return settle.error();
  watch->settle_ = *std::move(settle);
  auto watched =
      loop.watch(number, EPOLLIN, [self = watch.get()](std::uint32_t) { self->on_events(); });
  if (!watched) return watched.error();
  return watch;
}

void FileWatch::on_events() {
  alignas(inotify_event) std::array<char, 4096> buffer{};
  bool touched = false;
  for (;;) {
    const ssize_t size = ::read(fd_.get(), buffer.data(), buffer.size());
    if (size <= 0) break;
    for (std::size_t at = 0; at < static_cast<std::size_t>(size);) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof(event));
      const char* name = buffer.data() + at + sizeof(event);
      const bool named = event.len > 0 && (name == name_ || name == kSwappedLink);
      touched = touched || named || (event.mask & IN_Q_OVERFLOW) != 0;
      at += sizeof(event) + event.len;
    }
  }
  // The event comes before a slow writer is done, so the answer waits until the file lies still.
  if (touched) static_cast<void>(settle_->restart(quiet_));
}

FileWatch::~FileWatch() { loop_.forget(fd_.get()); }

}  // namespace flare
