#include "kernel/map_handle.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "kernel/libbpf_options.h"
#include "kernel/mapped_array.h"
#include "kernel/privilege.h"

namespace flare {
namespace {

std::string described(const std::string& name) { return "map '" + name + "'"; }

bool is_per_cpu(std::uint32_t type) {
  return type == BPF_MAP_TYPE_PERCPU_HASH || type == BPF_MAP_TYPE_PERCPU_ARRAY ||
         type == BPF_MAP_TYPE_LRU_PERCPU_HASH || type == BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE;
}

std::size_t mapped_bytes(const MapHandle& handle) {
  auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::size_t stride = (std::size_t{handle.value_size()} + 7) / 8 * 8;
  return (stride * handle.max_entries() + page - 1) / page * page;
}

}  // namespace

Result<MapHandle> MapHandle::adopt(UniqueFd fd, std::string name) {
  bpf_map_info info{};
  __u32 size = sizeof(info);
  if (bpf_obj_get_info_by_fd(fd.get(), &info, &size) != 0) {
    return Error::from_errno("cannot ask what " + described(name) + " is", errno);
  }
  MapHandle handle(std::move(fd), std::move(name));
  handle.id_ = info.id;
  handle.type_ = info.type;
  handle.key_size_ = info.key_size;
  handle.value_size_ = info.value_size;
  handle.max_entries_ = info.max_entries;
  handle.flags_ = info.map_flags;
  return handle;
}

Result<MapHandle> MapHandle::open(const std::filesystem::path& path, Access access) {
  struct bpf_obj_get_opts opts;
  reset_libbpf_options(opts);
  if (access == Access::kRead) opts.file_flags = BPF_F_RDONLY;
  UniqueFd fd(bpf_obj_get_opts(path.c_str(), &opts));
  if (!fd) {
    return refused("cannot open the pinned map " + path.string(), errno,
                   "root, or for reading membership of group 'flare'");
  }
  return adopt(std::move(fd), path.filename().string());
}

bool MapHandle::is_array() const { return type_ == BPF_MAP_TYPE_ARRAY; }

Result<void> MapHandle::expect(const MapShape& shape) const {
  if (is_per_cpu(type_)) {
    return Error(described(name_) + " is a per-CPU map, which would not fit its type here");
  }
  if (key_size_ != shape.key_size || value_size_ != shape.value_size) {
    return Error(described(name_) + " has keys of " + std::to_string(key_size_) +
                 " and values of " + std::to_string(value_size_) + " bytes, expected " +
                 std::to_string(shape.key_size) + " and " + std::to_string(shape.value_size) +
                 ": it was made by another version of Flare");
  }
  return {};
}

bool MapHandle::lookup(const void* key, void* value) const {
  return bpf_map_lookup_elem(fd_.get(), key, value) == 0;
}

Result<void> MapHandle::update(const void* key, const void* value, MapUpdate mode) const {
  if (bpf_map_update_elem(fd_.get(), key, value, static_cast<__u64>(mode)) == 0) return {};
  int cause = errno;
  if (cause == E2BIG) {
    return Error("cannot write " + described(name_) + ": it is full (" +
                 std::to_string(max_entries_) + " entries)");
  }
  return refused("cannot write " + described(name_), cause, "write access to its pin, i.e. root");
}

Result<bool> MapHandle::erase(const void* key) const {
  if (bpf_map_delete_elem(fd_.get(), key) == 0) return true;
  if (errno == ENOENT) return false;
  return refused("cannot erase from " + described(name_), errno,
                 "write access to its pin, i.e. root");
}

Result<bool> MapHandle::take(const void* key, void* value) const {
  if (bpf_map_lookup_and_delete_elem(fd_.get(), key, value) == 0) return true;
  if (errno == ENOENT) return false;
  return refused("cannot erase from " + described(name_), errno,
                 "write access to its pin, i.e. root");
}

Result<void> MapHandle::update_batch(const void* keys, const void* values,
                                     std::size_t count) const {
  auto written = static_cast<__u32>(count);
  if (bpf_map_update_batch(fd_.get(), keys, values, &written, nullptr) == 0) return {};
  return refused("cannot write " + described(name_), errno, "write access to its pin, i.e. root");
}

Result<std::uint32_t> MapHandle::lookup_batch(bool first, void* cursor, void* keys, void* values,
                                              std::uint32_t room, bool* last) const {
  std::uint32_t count = room;
  int failed = bpf_map_lookup_batch(fd_.get(), first ? nullptr : cursor, cursor, keys, values,
                                    &count, nullptr);
  *last = failed != 0 && errno == ENOENT;
  if (failed == 0 || *last) return count;
  bool bucket_too_big_for_room = errno == ENOSPC;
  if (bucket_too_big_for_room) return std::uint32_t{0};
  return refused("cannot read " + described(name_), errno, "read access to its pin");
}

Result<MapMemory> MapMemory::map(const MapHandle& handle) {
  if (!(handle.flags() & BPF_F_MMAPABLE)) {
    return Error(described(handle.name()) + " cannot be mapped into memory (no BPF_F_MMAPABLE)");
  }
  std::size_t bytes = mapped_bytes(handle);
  void* start = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, handle.fd(), 0);
  if (start == MAP_FAILED) {
    return refused("cannot map " + described(handle.name()) + " into memory", errno,
                   "access to its pin");
  }
  return MapMemory(start, bytes);
}

MapMemory::~MapMemory() {
  if (start_ != nullptr) ::munmap(start_, bytes_);
}

}  // namespace flare
