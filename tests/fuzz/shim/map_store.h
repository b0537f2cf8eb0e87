// The maps of the programs under test, in memory: what the kernel's map types promise, so far as
// the datapath uses it. Hash maps are small (an input chooses their size), so that "full" is met
// often.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace flare::fuzz {

struct MapSpec {
  std::string name;
  unsigned type = 0, key_bytes = 0, value_bytes = 0, max_entries = 0;
};

class Map {
 public:
  static constexpr std::size_t kKeyBytesMax = 40;

  explicit Map(MapSpec spec);
  Map(const Map&) = delete;
  Map& operator=(const Map&) = delete;

  const MapSpec& spec() const { return spec_; }
  /// Empties the map and lets it hold `max_entries`.
  void resize(unsigned max_entries);
  /// Empties the map: entries of an array become 0.
  void clear();
  /// Frees what was deleted. Until then a program may still read it, as under RCU.
  void end_of_run();

  void* find(const void* key);
  /// 0, or a negative error of the kernel's.
  long update(const void* key, const void* value, std::uint64_t flags);
  long erase(const void* key);
  /// Of a hash map; of an array, entries that were ever looked up.
  std::size_t size() const { return entries_.size(); }
  /// Entries that gave way to another one since clear().
  std::uint64_t evictions() const { return evictions_; }
  /// Takes out the entry that was inserted `age` entries before the newest, as eviction would.
  void evict(std::size_t age);

  template <typename Key, typename Value, typename Look>
  void for_each(Look look) {
    for (const Entry& entry : entries_) {
      Key key;
      std::memcpy(&key, entry.key.data(), sizeof key);
      look(key, *static_cast<Value*>(static_cast<void*>(entry.value)));
    }
  }

 private:
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  struct Entry {
    std::uint32_t hash;
    std::array<std::uint8_t, kKeyBytesMax> key;
    std::uint8_t* value;
  };
  bool is_array() const;
  void* find_in_array(const void* key);
  void* find_prefix(const void* key);
  std::optional<std::size_t> place_of(const void* key) const;
  std::uint8_t* take_value();
  void remove(std::size_t place);

  [[maybe_unused]] void* self_ =
      this;  ///< first: a program that looks up an inner map passes this object as a map
  MapSpec spec_;
  std::vector<Entry> entries_;
  std::unique_ptr<std::uint8_t[], Free>
      array_;  ///< of all entries; pages that nobody touches cost nothing
  std::vector<bool> touched_;
  std::vector<std::unique_ptr<std::uint8_t[]>> values_;
  std::vector<std::uint8_t*> free_, retired_;
  std::uint64_t evictions_ = 0;
};

/// By name: the programs share their maps, as they do by pinning.
class MapStore {
 public:
  Map& declare(const MapSpec& spec);
  Map& operator[](const std::string& name);
  void clear();
  void end_of_run();
  /// Entries of all maps that packets may grow.
  std::size_t entries_of_packets();
  std::uint64_t evictions() const;
  /// Makes the next `updates`-th insertion into a hash map fail as if there were no memory.
  void fail_update(unsigned updates) { fail_update_ = updates; }
  bool update_fails() {
    if (fail_update_ == 0 || --fail_update_ != 0) return false;
    failed_ = true;
    return true;
  }
  /// Whether an insertion has failed so since clear().
  bool failed() const { return failed_; }

 private:
  std::vector<std::unique_ptr<Map>> maps_;
  unsigned fail_update_ = 0;
  bool failed_ = false;
};

/// The one store of this process: helpers are plain functions.
MapStore& maps();

}  // namespace flare::fuzz
