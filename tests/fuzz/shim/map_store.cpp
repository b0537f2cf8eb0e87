#include "shim/map_store.h"

#include <linux/bpf.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "shim/programs.h"

namespace flare::fuzz {
namespace {

[[noreturn]] void broken(const char* what, const std::string& name) {
  std::fprintf(stderr, "the shim cannot go on: %s '%s'\n", what, name.c_str());
  std::abort();
}

std::uint32_t hash_of(const void* key, std::size_t bytes) {
  const auto* at = static_cast<const std::uint8_t*>(key);
  std::uint32_t hash = 2166136261U;  // FNV-1a
  for (std::size_t i = 0; i < bytes; ++i) hash = (hash ^ at[i]) * 16777619U;
  return hash;
}

}  // namespace

Map::Map(MapSpec spec) : spec_(std::move(spec)) {
  if (spec_.key_bytes > kKeyBytesMax) broken("the key is too long of map", spec_.name);
  if (is_array()) resize(spec_.max_entries);
}

bool Map::is_array() const {
  return spec_.type == BPF_MAP_TYPE_ARRAY || spec_.type == BPF_MAP_TYPE_PERCPU_ARRAY;
}

void Map::resize(unsigned max_entries) {
  clear();
  if (is_array() && (array_ == nullptr || max_entries > spec_.max_entries)) {
    array_.reset(static_cast<std::uint8_t*>(std::calloc(max_entries, spec_.value_bytes)));
    touched_.assign(max_entries, false);
  }
  spec_.max_entries = max_entries;
}

void Map::clear() {
  evictions_ = 0;
  if (is_array()) {
    for (const Entry& entry : entries_) {
      std::uint32_t index = 0;
      std::memcpy(&index, entry.key.data(), sizeof index);
      std::memset(entry.value, 0, spec_.value_bytes);
      touched_[index] = false;
    }
    entries_.clear();
    return;
  }
  while (!entries_.empty()) remove(entries_.size() - 1);
  end_of_run();
}

void Map::end_of_run() {
  free_.insert(free_.end(), retired_.begin(), retired_.end());
  retired_.clear();
}

void* Map::find_in_array(const void* key) {
  std::uint32_t index = 0;
  std::memcpy(&index, key, sizeof index);
  if (index >= spec_.max_entries) return nullptr;
  std::uint8_t* value = array_.get() + std::size_t{index} * spec_.value_bytes;
  if (!touched_[index]) {
    touched_[index] = true;
    Entry& entry = entries_.emplace_back(Entry{index, {}, value});
    std::memcpy(entry.key.data(), &index, sizeof index);
  }
  return value;
}

/// The longest prefix that covers the key's address; both begin with a number of bits.
void* Map::find_prefix(const void* key) {
  const auto* wanted = static_cast<const std::uint8_t*>(key) + sizeof(std::uint32_t);
  std::uint32_t best = 0;
  void* found = nullptr;
  for (const Entry& entry : entries_) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, entry.key.data(), sizeof bits);
    const std::uint8_t* prefix = entry.key.data() + sizeof bits;
    bool same = std::memcmp(prefix, wanted, bits / 8) == 0;
    if (bits % 8 != 0)
      same = same && ((prefix[bits / 8] ^ wanted[bits / 8]) >> (8 - bits % 8)) == 0;
    if (same && (found == nullptr || bits > best)) {
      best = bits;
      found = entry.value;
    }
  }
  return found;
}

std::optional<std::size_t> Map::place_of(const void* key) const {
  const std::uint32_t hash = hash_of(key, spec_.key_bytes);
  for (std::size_t i = 0; i < entries_.size(); ++i)
    if (entries_[i].hash == hash && std::memcmp(entries_[i].key.data(), key, spec_.key_bytes) == 0)
      return i;
  return std::nullopt;
}

void* Map::find(const void* key) {
  if (is_array()) return find_in_array(key);
  if (spec_.type == BPF_MAP_TYPE_LPM_TRIE) return find_prefix(key);
  const auto place = place_of(key);
  if (!place) return nullptr;
  if (spec_.type != BPF_MAP_TYPE_ARRAY_OF_MAPS) return entries_[*place].value;
  void* inner = nullptr;
  std::memcpy(&inner, entries_[*place].value, sizeof inner);
  return inner;
}

std::uint8_t* Map::take_value() {
  const std::size_t bytes =
      spec_.type == BPF_MAP_TYPE_ARRAY_OF_MAPS ? sizeof(void*) : spec_.value_bytes;
  if (free_.empty()) {
    values_.push_back(std::make_unique<std::uint8_t[]>(bytes));
    free_.push_back(values_.back().get());
  }
  std::uint8_t* value = free_.back();
  free_.pop_back();
  return value;
}

void Map::remove(std::size_t place) {
  retired_.push_back(entries_[place].value);
  entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(place));
}

void Map::evict(std::size_t age) {
  if (entries_.empty() || is_array()) return;
  remove(entries_.size() - 1 - age % entries_.size());
  ++evictions_;
}

long Map::update(const void* key, const void* value, std::uint64_t flags) {
  const std::size_t bytes =
      spec_.type == BPF_MAP_TYPE_ARRAY_OF_MAPS ? sizeof(void*) : spec_.value_bytes;
  if (is_array()) {
    void* entry = find_in_array(key);
    if (entry == nullptr) return -E2BIG;
    if (flags == BPF_NOEXIST) return -EEXIST;
    std::memcpy(entry, value, bytes);
    return 0;
  }
  if (const auto place = place_of(key)) {
    if (flags == BPF_NOEXIST) return -EEXIST;
    std::memcpy(entries_[*place].value, value, bytes);
    return 0;
  }
  if (flags == BPF_EXIST) return -ENOENT;
  if (maps().update_fails()) return -ENOMEM;
  if (entries_.size() >= spec_.max_entries) {
    if (spec_.type != BPF_MAP_TYPE_LRU_HASH) return -E2BIG;
    evict(entries_.size() - 1);
  }
  std::uint8_t* fresh = take_value();
  std::memcpy(fresh, value, bytes);
  Entry& entry = entries_.emplace_back(Entry{hash_of(key, spec_.key_bytes), {}, fresh});
  std::memcpy(entry.key.data(), key, spec_.key_bytes);
  return 0;
}

long Map::erase(const void* key) {
  if (is_array()) return -EINVAL;
  const auto place = place_of(key);
  if (!place) return -ENOENT;
  remove(*place);
  return 0;
}

Map& MapStore::declare(const MapSpec& spec) {
  for (const auto& map : maps_) {
    if (map->spec().name != spec.name) continue;
    const MapSpec& known = map->spec();
    if (known.type != spec.type || known.key_bytes != spec.key_bytes ||
        known.value_bytes != spec.value_bytes)
      broken("two layouts of map", spec.name);
    return *map;
  }
  maps_.push_back(std::make_unique<Map>(spec));
  return *maps_.back();
}

Map& MapStore::operator[](const std::string& name) {
  for (const auto& map : maps_)
    if (map->spec().name == name) return *map;
  broken("there is no map", name);
}

void MapStore::clear() {
  for (const auto& map : maps_) map->clear();
  fail_update_ = 0;
  failed_ = false;
}

void MapStore::end_of_run() {
  for (const auto& map : maps_) map->end_of_run();
}

std::size_t MapStore::entries_of_packets() {
  std::size_t sum = 0;
  for (const auto& map : maps_) {
    const unsigned type = map->spec().type;
    if (type == BPF_MAP_TYPE_HASH || type == BPF_MAP_TYPE_LRU_HASH) sum += map->size();
  }
  return sum;
}

std::uint64_t MapStore::evictions() const {
  std::uint64_t sum = 0;
  for (const auto& map : maps_) sum += map->evictions();
  return sum;
}

MapStore& maps() {
  static MapStore store;
  return store;
}

namespace {

/// What a program calls a map has the shim's in its first word.
Map& map_of(void* handle) {
  Map* map = nullptr;
  std::memcpy(&map, handle, sizeof(void*));
  if (map == nullptr) broken("a program uses a map that shim/declare_maps.h does not list", "");
  return *map;
}

}  // namespace
}  // namespace flare::fuzz

extern "C" {

void shim_declare_map(void* handle, const char* name, unsigned type, unsigned key_bytes,
                      unsigned value_bytes, unsigned max_entries) {
  flare::fuzz::Map* map =
      &flare::fuzz::maps().declare({name, type, key_bytes, value_bytes, max_entries});
  std::memcpy(handle, &map, sizeof(void*));
}

void* shim_map_lookup_elem(void* map, const void* key) {
  return flare::fuzz::map_of(map).find(key);
}

long shim_map_update_elem(void* map, const void* key, const void* value, std::uint64_t flags) {
  return flare::fuzz::map_of(map).update(key, value, flags);
}

long shim_map_delete_elem(void* map, const void* key) {
  return flare::fuzz::map_of(map).erase(key);
}
}
