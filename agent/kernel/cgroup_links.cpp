#include "kernel/cgroup_links.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <optional>
#include <string>

#include "kernel/libbpf_options.h"
#include "kernel/pin_dir.h"
#include "kernel/privilege.h"

namespace flare {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kNeeds = "CAP_NET_ADMIN and CAP_BPF";
/// What the folders of cgroups begin with, beside which `<ifindex>-<hook>` are pinned.
constexpr std::string_view kFolder = "cgroup";
constexpr mode_t kFolderMode = 0700;

/// A path as one name: bpffs takes no '.', and no name has a '/'.
std::string escaped(const std::string& path) {
  std::string name;
  for (const char letter : path) {
    if (std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '-' || letter == '_') {
      name += letter;
      continue;
    }
    std::array<char, 4> hex{};
    std::snprintf(hex.data(), hex.size(), "%%%02x", static_cast<unsigned char>(letter));
    name += hex.data();
  }
  return name;
}

std::string unescaped(std::string_view name) {
  std::string path;
  for (std::size_t i = 0; i < name.size(); ++i) {
    unsigned letter = 0;
    if (name[i] == '%' && i + 2 < name.size() &&
        std::from_chars(&name[i + 1], &name[i + 1] + 2, letter, 16).ec == std::errc()) {
      path += static_cast<char>(letter);
      i += 2;
    } else {
      path += name[i];
    }
  }
  return path;
}

std::string described(const CgroupHook& hook, const fs::path& cgroup) {
  return "the " + std::string(hook.word) + " hook of cgroup " + cgroup.string();
}

/// What a link holds. The cgroup of a link whose cgroup was removed is 0.
struct CgroupLinkFacts {
  std::uint64_t cgroup = 0;
  std::uint32_t program_id = 0;
};

Result<CgroupLinkFacts> facts_of(int link) {
  bpf_link_info info{};
  __u32 size = sizeof(info);
  if (bpf_obj_get_info_by_fd(link, &info, &size) != 0) {
    return Error::from_errno("cannot ask a link what it holds", errno);
  }
  return CgroupLinkFacts{info.cgroup.cgroup_id, info.prog_id};
}

/// The pinned link, or nothing where there is no pin.
Result<std::optional<UniqueFd>> open_link(const fs::path& pin) {
  UniqueFd fd(bpf_obj_get(pin.c_str()));
  if (fd) return std::optional<UniqueFd>(std::move(fd));
  if (errno == ENOENT) return std::optional<UniqueFd>();
  return refused("cannot open the pinned link " + pin.string(), errno, "root");
}

Result<bool> remove_link(const fs::path& pin) {
  auto link = open_link(pin);
  if (!link) return link.error();
  if (!*link) return false;
  // Another process may hold the link as well, so closing it would not be enough.
  if (bpf_link_detach((*link)->get()) != 0) {
    const int cause = errno;
    auto facts = facts_of((*link)->get());
    const bool still_attached = !facts || facts->cgroup != 0;
    if (still_attached) return refused("cannot detach " + pin.string(), cause, kNeeds);
  }
  if (::unlink(pin.c_str()) != 0) return refused("cannot unpin " + pin.string(), errno, "root");
  return true;
}

/// One hook of one cgroup while place() works on it.
struct Place {
  const CgroupHook& hook;
  const fs::path& cgroup;
  fs::path pin;
  int cgroup_fd;
  std::uint64_t cgroup_id;
};

/// The pinned link with the program put into it; nothing where there is none, or a dead one.
Result<std::optional<UniqueFd>> replace(const Place& place, int program) {
  const fs::path layout = place.pin.parent_path().parent_path().parent_path();  // links, cgroup
  if (::access(place.pin.c_str(), F_OK) != 0) take_from_other_layout(layout, place.pin);
  auto link = open_link(place.pin);
  if (!link || !*link) return link;
  auto facts = facts_of((*link)->get());
  if (!facts) return facts.error();
  if (facts->cgroup == place.cgroup_id) {
    if (bpf_link_update((*link)->get(), program, nullptr) == 0) return link;
    return refused("cannot replace the program at " + described(place.hook, place.cgroup), errno,
                   kNeeds);
  }
  // The cgroup at this path is another one by now: what is left of the link is removed.
  auto removed = remove_link(place.pin);
  if (!removed) return removed.error();
  return std::optional<UniqueFd>();
}

Result<UniqueFd> create(const Place& place, int program) {
  struct bpf_link_create_opts opts;
  reset_libbpf_options(opts);
  UniqueFd link(bpf_link_create(program, place.cgroup_fd, place.hook.type, &opts));
  if (!link && errno == EBADF) {
    return Error(place.cgroup.string() + " is not a cgroup of version 2");
  }
  if (!link) {
    return refused("cannot attach to " + described(place.hook, place.cgroup), errno, kNeeds);
  }
  if (bpf_obj_pin(link.get(), place.pin.c_str()) != 0) {
    return refused("cannot pin the link at " + described(place.hook, place.cgroup), errno, "root");
  }
  return link;
}

}  // namespace

std::uint64_t cgroup_id(const fs::path& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode) ? info.st_ino : 0;
}

fs::path CgroupLinks::folder_of(const fs::path& cgroup) const {
  return dir_ / (std::string(kFolder) + escaped(cgroup.string()));
}

std::vector<fs::path> CgroupLinks::list() const {
  std::vector<fs::path> cgroups;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(dir_, failed)) {
    const std::string name = entry.path().filename().string();
    std::error_code ignored;
    if (!entry.is_directory(ignored) || !name.starts_with(kFolder)) continue;
    cgroups.emplace_back(unescaped(std::string_view(name).substr(kFolder.size())));
  }
  std::sort(cgroups.begin(), cgroups.end());
  return cgroups;
}

Result<CgroupState> CgroupLinks::state(const fs::path& cgroup) const {
  CgroupState state;
  state.path = cgroup;
  const std::uint64_t id = cgroup_id(cgroup);
  for (const CgroupHook& hook : kCgroupHooks) {
    auto link = open_link(folder_of(cgroup) / hook.word);
    if (!link) return link.error();
    if (!*link) continue;
    auto facts = facts_of((*link)->get());
    if (!facts) return facts.error();
    if (id != 0 && facts->cgroup == id && facts->program_id != 0) ++state.hooks;
  }
  state.exists = state.hooks > 0;
  return state;
}

Result<CgroupLinks::Placed> CgroupLinks::place(
    const fs::path& cgroup, const std::array<int, kCgroupHooks.size()>& programs) const {
  const UniqueFd fd(::open(cgroup.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return refused("cannot open cgroup " + cgroup.string(), errno, "root");
  const fs::path folder = folder_of(cgroup);
  if (::mkdir(folder.c_str(), kFolderMode) != 0 && errno != EEXIST) {
    return refused("cannot make " + folder.string(), errno, "root");
  }
  Placed placed;
  for (std::size_t i = 0; i < kCgroupHooks.size(); ++i) {
    const CgroupHook& hook = kCgroupHooks[i];
    const Place place{hook, cgroup, folder / hook.word, fd.get(), cgroup_id(cgroup)};
    auto link = replace(place, programs[i]);
    if (!link) return link.error();
    if (*link) {
      placed.replaced = true;
      placed.links.push_back(std::move(**link));
      continue;
    }
    auto made = create(place, programs[i]);
    if (!made) {
      if (!placed.replaced) static_cast<void>(remove(cgroup));
      return made.error();
    }
    placed.links.push_back(*std::move(made));
  }
  return placed;
}

Result<std::size_t> CgroupLinks::keep(const fs::path& cgroup,
                                      std::span<const UniqueFd> links) const {
  const fs::path folder = folder_of(cgroup);
  std::size_t made = 0;
  for (std::size_t i = 0; i < links.size(); ++i) {
    const fs::path pin = folder / kCgroupHooks[i].word;
    if (::access(pin.c_str(), F_OK) == 0) continue;
    if (::mkdir(folder.c_str(), kFolderMode) != 0 && errno != EEXIST) {
      return refused("cannot make " + folder.string(), errno, "root");
    }
    if (bpf_obj_pin(links[i].get(), pin.c_str()) != 0) {
      return refused("cannot pin the link at " + described(kCgroupHooks[i], cgroup), errno, "root");
    }
    ++made;
  }
  return made;
}

Result<std::uint32_t> CgroupLinks::remove(const fs::path& cgroup) const {
  const fs::path folder = folder_of(cgroup);
  std::uint32_t links = 0;
  for (auto hook = kCgroupHooks.rbegin(); hook != kCgroupHooks.rend(); ++hook) {
    auto removed = remove_link(folder / hook->word);
    if (!removed) return removed.error();
    links += *removed ? 1 : 0;
  }
  if (::rmdir(folder.c_str()) != 0 && errno != ENOENT) {
    return refused("cannot remove " + folder.string(), errno, "root");
  }
  return links;
}

}  // namespace flare
