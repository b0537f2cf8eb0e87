// One BPF map by its descriptor, without types: what TypedMap and MappedArray are made of.
// The only place, with its .cpp, that makes map system calls.
#pragma once

#include <linux/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace flare {

/// What a process may do with a map: flarectl reads, the agent also writes.
enum class Access : std::uint8_t { kRead, kReadWrite };

enum class MapUpdate : std::uint64_t { kAny = 0, kNoExist = 1, kExist = 2 };

/// What a map must be to be adopted: a pinned map is input, so it is checked once.
struct MapShape {
  std::uint32_t key_size = 0;
  std::uint32_t value_size = 0;
};

/// An open map. Errors name the map and the capability that was missing, where one was.
class MapHandle {
 public:
  /// Takes `fd` and asks the kernel what it is.
  static Result<MapHandle> adopt(UniqueFd fd, std::string name);
  /// Opens the pin `path`; with kRead the descriptor cannot write, whoever we are.
  static Result<MapHandle> open(const std::filesystem::path& path, Access access);

  int fd() const { return fd_.get(); }
  const std::string& name() const { return name_; }
  std::uint32_t id() const { return id_; }
  std::uint32_t type() const { return type_; }
  std::uint32_t key_size() const { return key_size_; }
  std::uint32_t value_size() const { return value_size_; }
  std::uint32_t max_entries() const { return max_entries_; }
  std::uint32_t flags() const { return flags_; }
  bool is_array() const;

  /// Fails unless key and value have these sizes and the map is one per-host table (no per-CPU
  /// map).
  Result<void> expect(const MapShape& shape) const;

  /// Copies the value of `key` to `value`; false where there is none.
  bool lookup(const void* key, void* value) const;
  Result<void> update(const void* key, const void* value, MapUpdate mode) const;
  /// False where there was no such key.
  Result<bool> erase(const void* key) const;
  /// Erases a hash's entry and copies what it held at that moment; false where there was none.
  Result<bool> take(const void* key, void* value) const;

  /// Sets `count` keys, which lie one after the other, as their values do. Where it fails, some may
  /// be set.
  Result<void> update_batch(const void* keys, const void* values, std::size_t count) const;
  /// One step of a batch walk. `cursor` is opaque (at least max(key size, 8) bytes) and `first`
  /// says that it holds nothing yet. Returns how many entries were copied; `*last` says the walk is
  /// over.
  Result<std::uint32_t> lookup_batch(bool first, void* cursor, void* keys, void* values,
                                     std::uint32_t room, bool* last) const;

 private:
  MapHandle(UniqueFd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}

  UniqueFd fd_;
  std::string name_;
  std::uint32_t id_ = 0;
  std::uint32_t type_ = 0;
  std::uint32_t key_size_ = 0;
  std::uint32_t value_size_ = 0;
  std::uint32_t max_entries_ = 0;
  std::uint32_t flags_ = 0;
};

}  // namespace flare
