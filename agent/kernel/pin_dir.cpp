#include "kernel/pin_dir.h"

#include <grp.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <optional>

#include "flare/abi.h"
#include "kernel/maps.h"
#include "kernel/privilege.h"

namespace flare {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kDirMode = 0750;
constexpr mode_t kMapMode = 0640;

std::optional<gid_t> flare_group() {
  group entry{};
  group* found = nullptr;
  std::vector<char> text(16 * 1024);
  if (::getgrnam_r("flare", &entry, text.data(), text.size(), &found) != 0 || !found) {
    return std::nullopt;
  }
  return found->gr_gid;
}

/// Mode and group of one path. Only a file that is not so already is touched, so that an agent
/// without CAP_CHOWN can adopt what a privileged one has made.
Result<void> give(const fs::path& path, mode_t mode, std::optional<gid_t> group) {
  struct stat now {};
  if (::stat(path.c_str(), &now) != 0) {
    return Error::from_errno("cannot read the mode of " + path.string(), errno);
  }
  if ((now.st_mode & 07777) != mode && ::chmod(path.c_str(), mode) != 0) {
    return refused("cannot set the mode of " + path.string(), errno, "its ownership");
  }
  if (group && now.st_gid != *group && ::chown(path.c_str(), static_cast<uid_t>(-1), *group) != 0) {
    return refused("cannot give " + path.string() + " to group flare", errno, "CAP_CHOWN");
  }
  return {};
}

Result<void> make_dir(const fs::path& path, std::optional<gid_t> group) {
  if (::mkdir(path.c_str(), kDirMode) != 0 && errno != EEXIST) {
    return refused("cannot make the directory " + path.string(), errno, "root");
  }
  return give(path, kDirMode, group);
}

}  // namespace

fs::path layout_dir(const fs::path& pin_dir) {
  return pin_dir / ("v" + std::to_string(FLARE_ABI_VERSION));
}

fs::path links_dir(const fs::path& pin_dir) { return layout_dir(pin_dir) / "links"; }

std::vector<fs::path> layouts_beside(const fs::path& layout) {
  std::vector<fs::path> found;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(layout.parent_path(), failed)) {
    const std::string name = entry.path().filename().string();
    const bool is_layout = name.size() > 1 && name[0] == 'v' &&
                           std::all_of(name.begin() + 1, name.end(), [](char one) {
                             return std::isdigit(static_cast<unsigned char>(one)) != 0;
                           });
    if (is_layout && entry.path() != layout) found.push_back(entry.path());
  }
  return found;
}

void take_from_other_layout(const fs::path& layout, const fs::path& pin) {
  const fs::path place = pin.lexically_relative(layout);
  for (const fs::path& other : layouts_beside(layout)) {
    if (::rename((other / place).c_str(), pin.c_str()) == 0) return;
  }
}

bool is_on_bpffs(const fs::path& path) {
  std::error_code ignored;
  fs::path nearest = fs::absolute(path, ignored);
  while (!fs::exists(nearest, ignored) && nearest.has_relative_path()) {
    nearest = nearest.parent_path();
  }
  struct statfs info {};
  return ::statfs(nearest.c_str(), &info) == 0 && info.f_type == BPF_FS_MAGIC;
}

Result<void> make_pin_dirs(const fs::path& pin_dir) {
  if (!is_on_bpffs(pin_dir)) {
    return Error(pin_dir.string() +
                 " is not on a BPF file system, so nothing could be kept there: "
                 "mount -t bpf bpf /sys/fs/bpf");
  }
  auto group = flare_group();
  for (const fs::path& dir : {pin_dir, layout_dir(pin_dir), links_dir(pin_dir)}) {
    auto made = make_dir(dir, group);
    if (!made) return made;
  }
  return {};
}

Result<void> open_maps_to_group(const fs::path& pin_dir) {
  auto group = flare_group();
  for (const std::string& name : map_names()) {
    auto given = give(layout_dir(pin_dir) / name, kMapMode, group);
    if (!given) return given;
  }
  return {};
}

std::vector<std::string> pinned_names(const fs::path& dir) {
  std::vector<std::string> names;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(dir, failed)) {
    std::error_code ignored;
    if (!entry.is_directory(ignored)) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

const std::vector<std::string>& map_names() {
  static const std::vector<std::string> kNames = {
      "settings",         "heartbeat",          "services",        "backends",
      "tables",           "service_info",       "interfaces",      "flows",
      "embryos",          "fragments",          "vm_flows",        "admission",
      "service_counters", "backend_counters",   "reason_counters", "turns",
      "latencies",        "spill_events",       "http2",           "shifts",
      "chain_sources",    "affinities",         "backend_loads",   "sock_flows",
      "sock_loads",       "sock_backend_loads", "spill_prefixes"};
  return kNames;
}

}  // namespace flare
