#include "host/instance_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

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

constexpr std::string_view kNetworkName = "flared";

struct SocketName {
  sockaddr_un address{};
  socklen_t size = 0;
};

/// Of the abstract kind: it belongs to the network namespace, and goes with its socket.
SocketName network_name() {
  SocketName name;
  name.address.sun_family = AF_UNIX;
  kNetworkName.copy(name.address.sun_path + 1, kNetworkName.size());
  name.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + kNetworkName.size());
  return name;
}

/// Who listens under our name, if anybody does.
std::optional<ucred> network_holder() {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const SocketName name = network_name();
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&name.address), name.size) != 0)
    return std::nullopt;
  ucred holder{};
  socklen_t size = sizeof(holder);
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &holder, &size) != 0) return std::nullopt;
  return holder;
}

}  // namespace

Result<InstanceLock> InstanceLock::on_network() {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return Error::from_errno("cannot open a socket", errno);
  const SocketName name = network_name();
  const bool taken_by_us =
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name.address), name.size) == 0;
  if (taken_by_us && ::listen(fd.get(), 1) == 0) return InstanceLock(std::move(fd));
  if (errno != EADDRINUSE) return Error::from_errno("cannot take the name 'flared'", errno);
  const auto holder = network_holder();
  if (holder && holder->uid != ::geteuid()) return InstanceLock();
  return Error("another flared" + (holder ? " with pid " + std::to_string(holder->pid) : "") +
               " runs in this network namespace; stop it first");
}

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
