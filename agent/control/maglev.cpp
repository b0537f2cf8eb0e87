#include "control/maglev.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace flare {
namespace {

constexpr std::array<std::uint32_t, 3> kPrimes{2039, 16381, FLARE_TABLE_SLOTS_MAX};
constexpr std::uint64_t kSlotsPerBackend = 100;
constexpr std::uint64_t kSlotsKeptPerBackend = 25;
constexpr std::uint32_t kFree = UINT32_MAX;

/// One backend's place in the building of a table.
struct Entry {
  MaglevBackend backend;
  std::uint32_t offset = 0;
  std::uint32_t skip = 0;
  std::uint32_t quota = 0;      ///< slots it is due
  std::uint64_t remainder = 0;  ///< of quota's division
  std::uint32_t next = 0;       ///< step of its permutation
};

std::uint64_t permutation_hash(const HashKey& key, const Endpoint& endpoint, std::uint8_t purpose) {
  std::array<std::uint8_t, 19> bytes{};
  std::memcpy(bytes.data(), endpoint.address.raw.word, 16);
  bytes[16] = static_cast<std::uint8_t>(endpoint.port >> 8);
  bytes[17] = static_cast<std::uint8_t>(endpoint.port & 0xff);
  bytes[18] = purpose;
  return siphash(key, bytes);
}

std::vector<Entry> usable_entries(std::span<const MaglevBackend> backends, const HashKey& key,
                                  std::uint32_t slots) {
  std::vector<Entry> entries;
  for (const MaglevBackend& backend : backends) {
    if (backend.weight == 0) continue;
    Entry entry;
    entry.backend = backend;
    entry.offset = static_cast<std::uint32_t>(permutation_hash(key, backend.endpoint, 0) % slots);
    entry.skip = slots == 1 ? 0
                            : static_cast<std::uint32_t>(
                                  permutation_hash(key, backend.endpoint, 1) % (slots - 1) + 1);
    entries.push_back(entry);
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.backend.endpoint < b.backend.endpoint; });
  return entries;
}

/// Divides `slots` by largest remainder; a backend whose part is less than one slot gets one, at
/// the cost of the largest.
void divide(std::vector<Entry>& entries, std::uint32_t slots) {
  std::uint64_t total = 0;
  for (const Entry& entry : entries) total += entry.backend.weight;
  std::uint64_t given = 0;
  for (Entry& entry : entries) {
    const std::uint64_t part = std::uint64_t{slots} * entry.backend.weight;
    entry.quota = static_cast<std::uint32_t>(part / total);
    entry.remainder = part % total;
    given += entry.quota;
  }
  std::vector<Entry*> order;
  order.reserve(entries.size());
  for (Entry& entry : entries) order.push_back(&entry);
  std::stable_sort(order.begin(), order.end(),
                   [](const Entry* a, const Entry* b) { return a->remainder > b->remainder; });
  for (std::size_t i = 0; given < slots; ++i, ++given) ++order[i]->quota;

  for (Entry& entry : entries) {
    if (entry.quota > 0) continue;
    auto largest =
        std::max_element(entries.begin(), entries.end(),
                         [](const Entry& a, const Entry& b) { return a.quota < b.quota; });
    if (largest->quota < 2) return;  // more backends than slots
    --largest->quota;
    entry.quota = 1;
  }
}

/// Whose turn it is, for each slot to be filled: everybody's turns are spread evenly, so that with
/// equal weights they alternate, as in the paper.
std::vector<std::uint32_t> turns(const std::vector<Entry>& entries, std::uint32_t slots) {
  std::vector<std::pair<std::uint64_t, std::uint32_t>> at;
  at.reserve(slots);
  for (std::uint32_t i = 0; i < entries.size(); ++i) {
    for (std::uint64_t turn = 0; turn < entries[i].quota; ++turn) {
      at.emplace_back(((2 * turn + 1) << 32) / entries[i].quota, i);
    }
  }
  std::sort(at.begin(), at.end());
  std::vector<std::uint32_t> order;
  order.reserve(at.size());
  for (const auto& [time, entry] : at) order.push_back(entry);
  return order;
}

/// Gives `entry` the next free slot of its permutation.
void take_slot(Entry& entry, std::vector<std::uint32_t>& table) {
  const std::uint64_t slots = table.size();
  for (;;) {
    const auto slot =
        static_cast<std::size_t>((entry.offset + std::uint64_t{entry.skip} * entry.next) % slots);
    ++entry.next;
    if (table[slot] != kFree) continue;
    table[slot] = entry.backend.id;
    return;
  }
}

}  // namespace

std::uint32_t maglev_slots(std::span<const MaglevBackend> backends, std::uint32_t current) {
  std::uint64_t count = 0;
  std::uint64_t total = 0;
  std::uint64_t least = UINT64_MAX;
  for (const MaglevBackend& backend : backends) {
    if (backend.weight == 0) continue;
    ++count;
    total += backend.weight;
    least = std::min<std::uint64_t>(least, backend.weight);
  }
  const bool known = std::find(kPrimes.begin(), kPrimes.end(), current) != kPrimes.end();
  if (count <= 1) return count == 1 && known ? current : static_cast<std::uint32_t>(count);
  const std::uint64_t for_the_least = (total + least - 1) / least;
  if (known && current >= std::max(count * kSlotsKeptPerBackend, for_the_least)) return current;
  const std::uint64_t wanted = std::max(count * kSlotsPerBackend, for_the_least);
  for (const std::uint32_t prime : kPrimes) {
    if (prime >= wanted) return prime;
  }
  return kPrimes.back();
}

std::vector<std::uint32_t> maglev_table(std::span<const MaglevBackend> backends, const HashKey& key,
                                        std::uint32_t slots) {
  if (slots == 0) return {};
  std::vector<Entry> entries = usable_entries(backends, key, slots);
  if (entries.empty()) return {};
  divide(entries, slots);

  std::vector<std::uint32_t> table(slots, kFree);
  for (const std::uint32_t turn : turns(entries, slots)) take_slot(entries[turn], table);
  return table;
}

}  // namespace flare
