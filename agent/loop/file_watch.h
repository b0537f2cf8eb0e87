// A change of one file as an event, whatever way the file was replaced.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>

#include "base/result.h"
#include "base/unique_fd.h"
#include "loop/event_loop.h"
#include "loop/timer.h"

namespace flare {

/// Calls back after `path` was written, or replaced by rename or by a swapped symbolic link, and
/// then left alone for `quiet`. It watches the folder, so the file may also come later.
class FileWatch {
 public:
  static Result<std::unique_ptr<FileWatch>> on(EventLoop& loop, const std::filesystem::path& path,
                                               std::chrono::milliseconds quiet,
                                               std::function<void()> callback);
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;
  ~FileWatch();

 private:
  FileWatch(EventLoop& loop, UniqueFd fd, std::string name, std::chrono::milliseconds quiet)
      : loop_(loop), fd_(std::move(fd)), name_(std::move(name)), quiet_(quiet) {}
  void on_events();

  EventLoop& loop_;
  UniqueFd fd_;
  std::string name_;
  std::chrono::milliseconds quiet_;
  std::unique_ptr<Timer> settle_;
};

}  // namespace flare
