#include "discovery/file_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/unique_fd.h"

namespace flare {
namespace {

Result<void> check(const struct stat& status, const FileRules& rules) {
  if (!S_ISREG(status.st_mode)) return Error("found no regular file; accepted: a regular file");
  if (status.st_uid != rules.owner) {
    return Error("found the owner uid " + std::to_string(status.st_uid) + "; accepted: owner uid " +
                 std::to_string(rules.owner) + " (chown)");
  }
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Error("found a file that others than its owner may write; accepted: chmod go-w");
  }
  if (status.st_size == 0) return Error("found an empty file; accepted: a configuration in YAML");
  if (static_cast<std::size_t>(status.st_size) > rules.bytes_max) {
    return Error("found " + std::to_string(status.st_size) + " bytes; accepted: at most " +
                 std::to_string(rules.bytes_max));
  }
  return {};
}

bool same_version(const struct stat& a, const struct stat& b) {
  return a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec &&
         a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

}  // namespace

Result<std::string> read_trusted_file(const std::filesystem::path& path, const FileRules& rules) {
  // O_NONBLOCK: opening a FIFO must not wait for a writer.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return Error::from_errno("cannot open the file", errno);
  struct stat before {};
  if (::fstat(fd.get(), &before) != 0) return Error::from_errno("cannot examine the file", errno);
  auto fine = check(before, rules);
  if (!fine) return fine.error();

  std::string text(static_cast<std::size_t>(before.st_size), '\0');
  std::size_t filled = 0;
  while (filled < text.size()) {
    const ssize_t size = ::read(fd.get(), text.data() + filled, text.size() - filled);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return Error::from_errno("cannot read the file", errno);
    if (size == 0) break;
    filled += static_cast<std::size_t>(size);
  }
  struct stat after {};
  if (::fstat(fd.get(), &after) != 0) return Error::from_errno("cannot examine the file", errno);
  if (filled != text.size() || !same_version(before, after)) {
    return Error("the file changed while it was read; write it anew and rename it into place");
  }
  return text;
}

}  // namespace flare
