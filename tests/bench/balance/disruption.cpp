#include "disruption.h"

#include <algorithm>
#include <numeric>

#include "arena.h"
#include "lab/common/random.h"
#include "select.bpf.h"

namespace flare::bench {
namespace {

constexpr std::uint32_t kHashes = 1'000'000;
/// What Maglev moves beside what must move, at 64 and more slots a backend.
constexpr double kExtra = 0.03;

std::vector<MaglevBackend> equal_set(std::uint32_t count) {
  std::vector<MaglevBackend> set;
  for (std::uint32_t n = 0; n < count; ++n)
    set.push_back({n + 1, backend_endpoint(Family::kV4, n), 1});
  return set;
}

/// `slots`: the size of the table before, as flared remembers it.
std::vector<std::uint32_t> table_of(const std::vector<MaglevBackend>& set, std::uint64_t seed,
                                    std::size_t slots = 0) {
  return maglev_table(set, HashKey{seed, ~seed},
                      maglev_slots(set, static_cast<std::uint32_t>(slots)));
}

std::uint32_t choice(const std::vector<std::uint32_t>& table, std::uint64_t hash) {
  return table[slot_of(hash, static_cast<std::uint32_t>(table.size()))];
}

/// `changed` is the id of the one that goes or comes.
Disruption compare(const std::vector<MaglevBackend>& before,
                   const std::vector<MaglevBackend>& after, std::uint32_t changed,
                   std::uint64_t seed) {
  const auto old_table = table_of(before, seed),
             new_table = table_of(after, seed, old_table.size());
  lab::Random random = lab::random_of(seed, 3);
  std::uint32_t moved = 0, others = 0;
  for (std::uint32_t i = 0; i < kHashes; ++i) {
    const std::uint64_t hash = random.next();
    const std::uint32_t was = choice(old_table, hash), is = choice(new_table, hash);
    moved += was != is;
    others += was != is && was != changed && is != changed;
  }
  Disruption made;
  made.backends = static_cast<std::uint32_t>(before.size());
  made.slots_before = static_cast<std::uint32_t>(old_table.size());
  made.slots_after = static_cast<std::uint32_t>(new_table.size());
  made.ideal = 1.0 / static_cast<double>(std::max(before.size(), after.size()));
  made.moved = static_cast<double>(moved) / kHashes;
  made.others = static_cast<double>(others) / kHashes;
  made.bounds = {{"others that move are at most 3 % of all", made.others <= kExtra}};
  return made;
}

}  // namespace

std::vector<Disruption> measure_disruption(std::uint64_t seed) {
  std::vector<Disruption> all;
  // a table made for 21 would be larger than one for 20; to 1,024 none can be added
  for (const std::uint32_t count : {4U, 16U, 20U, 100U, 1024U}) {
    const auto set = equal_set(count);
    auto fewer = set;
    const std::uint32_t gone = fewer[count / 2].id;
    fewer.erase(fewer.begin() + count / 2);
    all.push_back(compare(set, fewer, gone, seed));
    all.back().change = "one goes";
    if (count == 1024) continue;
    all.push_back(compare(set, equal_set(count + 1), count + 1, seed));
    all.back().change = "one comes";
  }
  return all;
}

}  // namespace flare::bench
