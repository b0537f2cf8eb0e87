// A BPF map whose key and value have C++ types. Sizes are checked once, when a descriptor is
// adopted; from then on no call can read or write past a value.
#pragma once

#include <algorithm>
#include <cstring>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/result.h"
#include "kernel/map_handle.h"

namespace flare {

/// Where a walk over a map stands. A default one stands before the first entry.
class MapCursor {
 public:
  bool at_start() const { return place_.empty(); }

 private:
  template <typename Key, typename Value>
  friend class TypedMap;
  std::vector<std::byte> place_;
};

/// A hash or array from `Key` to `Value`. Keys are compared byte by byte by the kernel, so a key
/// with hidden padding does not compile; a per-CPU map is refused when it is adopted.
template <typename Key, typename Value>
class TypedMap {
  static_assert(std::has_unique_object_representations_v<Key>, "the key has hidden padding");
  static_assert(std::is_trivially_copyable_v<Value>);

 public:
  struct Entry {
    Key key;
    Value value;
  };

  /// Fails when the map's key or value has another size than ours.
  static Result<TypedMap> adopt(MapHandle handle) {
    auto fits = handle.expect({sizeof(Key), sizeof(Value)});
    if (!fits) return fits.error();
    return TypedMap(std::move(handle));
  }
  static Result<TypedMap> open(const std::filesystem::path& pin, Access access) {
    auto handle = MapHandle::open(pin, access);
    if (!handle) return handle.error();
    return adopt(*std::move(handle));
  }

  std::optional<Value> lookup(const Key& key) const {
    Value value;
    if (!handle_.lookup(&key, &value)) return std::nullopt;
    return value;
  }

  Result<void> update(const Key& key, const Value& value, MapUpdate mode = MapUpdate::kAny) const {
    return handle_.update(&key, &value, mode);
  }

  /// False where there was no such key.
  Result<bool> erase(const Key& key) const { return handle_.erase(&key); }

  /// Erases an entry of a hash and returns what it held at that moment, if there was one.
  Result<std::optional<Value>> take(const Key& key) const {
    Value value;
    auto taken = handle_.take(&key, &value);
    if (!taken) return taken.error();
    return *taken ? std::optional<Value>(value) : std::nullopt;
  }

  /// The next entries after `cursor`, about `room` of them (more where one bucket of a hash holds
  /// more). Empty when the walk is over; `cursor` then stands at the start again. An entry that is
  /// inserted or erased meanwhile may or may not be seen.
  Result<std::vector<Entry>> next(MapCursor& cursor, std::uint32_t room = 1024) const {
    while (true) {
      std::vector<Key> keys(room);
      std::vector<Value> values(room);
      bool first = cursor.at_start();
      if (first) cursor.place_.resize(std::max<std::size_t>(sizeof(Key), 8));
      bool last = false;
      auto count = handle_.lookup_batch(first, cursor.place_.data(), keys.data(), values.data(),
                                        room, &last);
      if (!count) {
        cursor.place_.clear();
        return count.error();
      }
      bool too_small = *count == 0 && !last;
      if (too_small) {
        if (first) cursor.place_.clear();
        room *= 2;
        continue;
      }
      std::vector<Entry> entries(*count);
      for (std::uint32_t i = 0; i < *count; ++i) entries[i] = {keys[i], values[i]};
      if (last) cursor.place_.clear();
      return entries;
    }
  }

  /// Calls `visit(const Key&, const Value&)` for every entry.
  template <typename Visit>
  Result<void> for_each(Visit visit) const {
    MapCursor cursor;
    do {
      auto entries = next(cursor, 4096);
      if (!entries) return entries.error();
      for (const Entry& entry : *entries) visit(entry.key, entry.value);
    } while (!cursor.at_start());
    return {};
  }

  /// Entries of a hash right now, by a walk; an array has always max_entries().
  Result<std::uint64_t> count() const {
    std::uint64_t seen = 0;
    auto walked = for_each([&seen](const Key&, const Value&) { ++seen; });
    if (!walked) return walked.error();
    return seen;
  }

  std::uint32_t max_entries() const { return handle_.max_entries(); }
  const MapHandle& handle() const { return handle_; }

 private:
  explicit TypedMap(MapHandle handle) : handle_(std::move(handle)) {}

  MapHandle handle_;
};

}  // namespace flare
