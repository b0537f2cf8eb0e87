#include "host/instance_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

namespace flare {
namespace {

std::string holder_of(int fd) {
  std::array<char, 16> text{};
  const ssize_t size = ::pread(fd, text.data(), text.size() - 1, 0);
  const std::string pid(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  return pid.empty() ? "" : " with pid " + pid.substr(0, pid.find('\n'));
}

Error taken(const std::filesystem::path& path, const std::string& holder) {
  return Error("another flared" + holder + " is running (it holds '" + path.string() +
               "'); stop it first");
}

}  // namespace

Result<InstanceLock> InstanceLock::on_folder(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "lock";
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return Error::from_errno("cannot open '" + path.string() + "'", errno);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return taken(path, holder_of(fd.get()));
    return Error::from_errno("cannot lock '" + path.string() + "'", errno);
  }
  // Only for the message above: a lock that could not be described is a lock all the same.
  const std::string pid = std::to_string(::getpid()) + "\n";
  const bool described =
      ::ftruncate(fd.get(), 0) == 0 && ::pwrite(fd.get(), pid.data(), pid.size(), 0) > 0;
  static_cast<void>(described);
  return InstanceLock(std::move(fd));
}

Result<InstanceLock> InstanceLock::on_pins(const std::filesystem::path& folder) {
  UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return Error::from_errno("cannot open '" + folder.string() + "'", errno);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return taken(folder, "");
    return Error::from_errno("cannot lock '" + folder.string() + "'", errno);
  }
  return InstanceLock(std::move(fd));
}

}  // namespace flare
