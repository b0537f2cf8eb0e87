// An mmap-able BPF array as memory: reading or changing it costs no system call. A reader without
// the right to write gets the same interface by system calls, as the kernel maps such a descriptor
// not at all.
#pragma once

#include <atomic>
#include <cassert>
#include <cstdint>
#include <cstring>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/result.h"
#include "kernel/map_handle.h"

namespace flare {

/// The memory of one mmap-able array map, unmapped when it goes.
class MapMemory {
 public:
  /// Maps all entries of `handle`, which must be open for writing.
  static Result<MapMemory> map(const MapHandle& handle);
  MapMemory(MapMemory&& other) noexcept
      : start_(std::exchange(other.start_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  MapMemory& operator=(MapMemory&& other) noexcept {
    std::swap(start_, other.start_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  MapMemory(const MapMemory&) = delete;
  MapMemory& operator=(const MapMemory&) = delete;
  ~MapMemory();

  void* start() const { return start_; }

 private:
  MapMemory(void* start, std::size_t bytes) : start_(start), bytes_(bytes) {}

  void* start_ = nullptr;
  std::size_t bytes_ = 0;
};

/// An array of `Value`, whose fields are all 64-bit words. The datapath writes while we read: each
/// word is read whole, but two words of one value may be of different moments.
template <typename Value>
class MappedArray {
  static_assert(std::is_trivially_copyable_v<Value>);
  static_assert(std::has_unique_object_representations_v<Value>);
  static_assert(sizeof(Value) % sizeof(std::uint64_t) == 0, "entries are made of 64-bit words");

 public:
  using Word = std::uint64_t;
  using AbiWord = __u64;

  static Result<MappedArray> adopt(MapHandle handle, Access access) {
    auto fits = handle.expect({sizeof(std::uint32_t), sizeof(Value)});
    if (!fits) return fits.error();
    if (access == Access::kRead) return MappedArray(std::move(handle), std::nullopt);
    auto memory = MapMemory::map(handle);
    if (!memory) return memory.error();
    return MappedArray(std::move(handle), *std::move(memory));
  }
  static Result<MappedArray> open(const std::filesystem::path& pin, Access access) {
    auto handle = MapHandle::open(pin, access);
    if (!handle) return handle.error();
    return adopt(*std::move(handle), access);
  }

  std::uint32_t size() const { return handle_.max_entries(); }

  /// A copy of entry `index`.
  Value read(std::uint32_t index) const {
    Value copy{};
    if (!memory_) {
      handle_.lookup(&index, &copy);
      return copy;
    }
    auto* to = reinterpret_cast<AbiWord*>(&copy);
    AbiWord* from = words(index);
    for (std::size_t i = 0; i < kWords; ++i) {
      to[i] = std::atomic_ref(from[i]).load(std::memory_order_relaxed);
    }
    return copy;
  }

  /// Adds every word of entry `index` to the words of `sum`.
  void accumulate(std::uint32_t index, Value& sum) const {
    Value entry = read(index);
    auto* to = reinterpret_cast<AbiWord*>(&sum);
    auto* from = reinterpret_cast<AbiWord*>(&entry);
    for (std::size_t i = 0; i < kWords; ++i) to[i] += from[i];
  }

  /// One field of entry `index`, as `array.get(id, &flare_admission::active)`.
  Word get(std::uint32_t index, AbiWord Value::*field) const {
    if (!memory_) return read(index).*field;
    return std::atomic_ref(at(index).*field).load(std::memory_order_relaxed);
  }

  // The rest changes entries: only for an array that was opened with kReadWrite.

  void set(std::uint32_t index, AbiWord Value::*field, Word value) const {
    std::atomic_ref(at(index).*field).store(value, std::memory_order_relaxed);
  }
  /// Adds atomically, also against the datapath's atomic operations; returns the value before.
  Word add(std::uint32_t index, AbiWord Value::*field, Word delta) const {
    return std::atomic_ref(at(index).*field).fetch_add(delta, std::memory_order_relaxed);
  }
  Word sub(std::uint32_t index, AbiWord Value::*field, Word delta) const {
    return add(index, field, Word{0} - delta);
  }
  /// Adds 1 to the word that `pick(Value&)` returns a reference to, for nested fields.
  template <typename Pick>
  void bump(std::uint32_t index, Pick pick) const {
    std::atomic_ref<AbiWord>(pick(at(index))).fetch_add(1, std::memory_order_relaxed);
  }
  /// Hands entry `index` itself to `change`, which reads and writes its fields by atomic_ref.
  template <typename Change>
  void visit(std::uint32_t index, Change change) const {
    change(at(index));
  }
  /// Subtracts, but stops at 0; returns how much was taken off.
  Word sub_to_zero(std::uint32_t index, AbiWord Value::*field, Word delta) const {
    std::atomic_ref word(at(index).*field);
    AbiWord seen = word.load(std::memory_order_relaxed);
    AbiWord taken = 0;
    do {
      taken = seen < delta ? seen : delta;
    } while (!word.compare_exchange_weak(seen, seen - taken, std::memory_order_relaxed));
    return taken;
  }
  /// Writes 0 to every word of entry `index`.
  void clear(std::uint32_t index) const {
    AbiWord* to = words(index);
    for (std::size_t i = 0; i < kWords; ++i) {
      std::atomic_ref(to[i]).store(0, std::memory_order_relaxed);
    }
  }

  const MapHandle& handle() const { return handle_; }

 private:
  static constexpr std::size_t kWords = sizeof(Value) / sizeof(Word);

  MappedArray(MapHandle handle, std::optional<MapMemory> memory)
      : handle_(std::move(handle)), memory_(std::move(memory)) {}

  Value& at(std::uint32_t index) const {
    assert(memory_ && index < size());
    return static_cast<Value*>(memory_->start())[index];
  }
  AbiWord* words(std::uint32_t index) const { return reinterpret_cast<AbiWord*>(&at(index)); }

  MapHandle handle_;
  std::optional<MapMemory> memory_;  ///< nothing: read by system calls
};

}  // namespace flare
