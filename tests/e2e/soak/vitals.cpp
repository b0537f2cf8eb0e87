#include "vitals.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <stdexcept>

#include "base/unique_fd.h"

namespace flare::test {
namespace {

namespace fs = std::filesystem;

/// The number behind `word` in a file of /proc; 0 where it has none.
std::uint64_t number_in(const fs::path& path, const std::string& word) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(word)) return std::stoull(line.substr(word.size()));
  return 0;
}

/// Bytes by the map's id, of each map once.
class MapSizes {
 public:
  void add(int fd) {
    const fs::path fdinfo = "/proc/self/fdinfo/" + std::to_string(fd);
    const auto id = static_cast<std::uint32_t>(number_in(fdinfo, "map_id:"));
    if (id == 0 || bytes_.contains(id)) return;  // a program, a link
    bytes_[id] = number_in(fdinfo, "memlock:");
    bpf_map_info info{};
    __u32 length = sizeof info;
    if (::bpf_obj_get_info_by_fd(fd, &info, &length) != 0) return;
    if (info.type == BPF_MAP_TYPE_ARRAY_OF_MAPS) add_inner(fd, info.max_entries);
  }
  std::uint64_t count() const { return bytes_.size(); }
  std::uint64_t bytes() const {
    std::uint64_t sum = 0;
    for (const auto& [id, bytes] : bytes_) sum += bytes;
    return sum;
  }

 private:
  void add_inner(int fd, std::uint32_t entries) {
    for (std::uint32_t key = 0; key < entries; ++key) {
      std::uint32_t id = 0;
      if (::bpf_map_lookup_elem(fd, &key, &id) != 0) continue;
      if (const UniqueFd inner(::bpf_map_get_fd_by_id(id)); inner) add(inner.get());
    }
  }

  std::map<std::uint32_t, std::uint64_t> bytes_;
};

/// Our own descriptor of a map of another process.
void add_held(MapSizes& sizes, const fs::path& fdinfo) {
  const auto id = static_cast<std::uint32_t>(number_in(fdinfo, "map_id:"));
  if (id == 0) return;
  if (const UniqueFd map(::bpf_map_get_fd_by_id(id)); map) sizes.add(map.get());
}

}  // namespace

Vitals vitals_of(pid_t agent, const std::string& pin_dir) {
  const fs::path process = "/proc/" + std::to_string(agent);
  Vitals made;
  made.memory = number_in(process / "status", "VmRSS:") * 1024;
  if (made.memory == 0) throw std::runtime_error("flared does not run");
  MapSizes sizes;
  for (const auto& entry : fs::directory_iterator(process / "fdinfo")) {
    ++made.descriptors;
    add_held(sizes, entry.path());
  }
  for (const auto& entry : fs::recursive_directory_iterator(pin_dir)) {
    if (entry.is_directory()) continue;
    if (const UniqueFd pinned(::bpf_obj_get(entry.path().c_str())); pinned) sizes.add(pinned.get());
  }
  made.maps = sizes.count();
  made.map_bytes = sizes.bytes();
  return made;
}

std::uint64_t Trend::first() const {
  if (values_.empty()) return 0;
  return *std::max_element(values_.begin(),
                           values_.begin() + static_cast<long>(values_.size() / 3 + 1));
}

std::uint64_t Trend::last() const {
  if (values_.empty()) return 0;
  return *std::max_element(values_.end() - static_cast<long>(values_.size() / 3 + 1),
                           values_.end());
}

}  // namespace flare::test
