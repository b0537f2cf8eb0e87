#include "host/small_file.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/unique_fd.h"

namespace flare {
namespace {

constexpr std::size_t kReadBytes = 64 * 1024;

}  // namespace

Result<std::optional<std::string>> read_small_file(const std::filesystem::path& path,
                                                   std::size_t bytes_max) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd && errno == ENOENT) return std::optional<std::string>();
  if (!fd) return Error::from_errno("cannot open '" + path.string() + "'", errno);
  std::string text;
  std::size_t filled = 0;
  while (filled <= bytes_max) {
    // room for what is there, not for all that may be
    if (filled == text.size()) text.resize(std::min(bytes_max + 1, filled + kReadBytes));
    const ssize_t size = ::read(fd.get(), text.data() + filled, text.size() - filled);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return Error::from_errno("cannot read '" + path.string() + "'", errno);
    if (size == 0) break;
    filled += static_cast<std::size_t>(size);
  }
  if (filled > bytes_max) return Error("'" + path.string() + "' is too large");
  text.resize(filled);
  return std::optional(std::move(text));
}

Result<void> replace_file(const std::filesystem::path& path, std::string_view contents,
                          mode_t mode) {
  const std::string fresh = path.string() + ".new";
  ::unlink(fresh.c_str());
  const UniqueFd fd(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!fd) return Error::from_errno("cannot create '" + fresh + "'", errno);
  const ssize_t written = ::write(fd.get(), contents.data(), contents.size());
  int fault = written < 0 ? errno : 0;
  if (fault == 0 && written != static_cast<ssize_t>(contents.size())) fault = ENOSPC;
  if (fault == 0 && ::fsync(fd.get()) != 0) fault = errno;
  if (fault == 0 && ::rename(fresh.c_str(), path.c_str()) != 0) fault = errno;
  if (fault != 0) {
    ::unlink(fresh.c_str());
    return Error::from_errno("cannot write '" + path.string() + "'", fault);
  }
  return {};
}

Result<void> make_folder(const std::filesystem::path& path, mode_t mode, gid_t group) {
  std::error_code fault;
  std::filesystem::create_directories(path.parent_path(), fault);
  if (::mkdir(path.c_str(), mode) != 0) {
    if (errno == EEXIST) return {};
    return Error::from_errno("cannot make the folder '" + path.string() + "'", errno);
  }
  if (::chown(path.c_str(), static_cast<uid_t>(-1), group) != 0) {
    return Error::from_errno("cannot give the folder '" + path.string() + "' its group", errno);
  }
  return {};
}

gid_t onlookers() {
  const group* found = ::getgrnam("flare");
  return found != nullptr ? found->gr_gid : 0;
}

}  // namespace flare
