// The state file: what is read is in range and is, written and read again, the same.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "agent/must.h"
#include "host/saved_state.h"

namespace {

using flare::fuzz::must;

/// A folder in memory. A child removes it when this process has ended: what broke a rule, or the
/// time limit, ends it without destructors.
class Folder {
 public:
  Folder() {
    char name[] = "/dev/shm/flare-fuzz-XXXXXX";
    int life[2];
    must(mkdtemp(name) != nullptr && ::pipe2(life, O_CLOEXEC) == 0, "a folder in /dev/shm");
    path_ = name;
    const pid_t child = ::fork();
    must(child >= 0, "a child to remove the folder");
    if (child == 0) remove_after(life);
    ::close(life[0]);  // the other end is closed with this process
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::filesystem::path file(const char* name) const { return path_ / name; }

 private:
  [[noreturn]] void remove_after(const int* life) const {
    ::signal(SIGINT, SIG_IGN);  // meant for the fuzzer, which ends then
    ::signal(SIGTERM, SIG_IGN);
    for (int fd = 0; fd < 1024; ++fd)
      if (fd != life[0]) ::close(fd);
    char end = 0;
    while (::read(life[0], &end, 1) < 0 && errno == EINTR) continue;
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
    ::_exit(0);
  }

  std::filesystem::path path_;
};

void write(const std::filesystem::path& path, const std::uint8_t* bytes, std::size_t size) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  must(fd >= 0 && ::write(fd, bytes, size) == static_cast<ssize_t>(size), "the input is written");
  ::close(fd);
}

void judge(const flare::SavedState& state) {
  for (const auto& [service, share] : state.pinned_shares)
    must(share >= 0 && share <= 1, "a share is from 0 to 1", service);
  for (const auto& [service, told] : state.told)
    for (const auto& [endpoint, backend] : told.added)
      must(backend.weight <= flare::kWeightMax && backend.workers <= flare::kWorkersMax &&
               backend.capacity_rps >= 0 && backend.capacity_rps <= flare::kCapacityMax,
           "figures of a backend are in their range", service);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const Folder folder;
  static const std::filesystem::path told = folder.file("told"), again = folder.file("again");
  write(told, bytes, size);
  const auto state = flare::load_state(told);
  if (!state) {
    must(!state.error().message().empty(), "a refusal has a reason");
    return 0;
  }
  judge(*state);
  const auto saved = flare::save_state(again, *state);
  must(static_cast<bool>(saved), "what was read can be written");
  const auto read = flare::load_state(again);
  must(read && *read == *state, "what was written is read as the same",
       flare::fuzz::text_of(bytes, size));
  return 0;
}
