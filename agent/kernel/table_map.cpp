#include "kernel/table_map.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <algorithm>
#include <cerrno>
#include <numeric>

#include "kernel/libbpf_options.h"
#include "kernel/privilege.h"

namespace flare {
namespace {

std::uint32_t place_of(std::uint32_t service_id, flare_tier tier) {
  return service_id * FLARE_TIERS_COUNT + tier;
}

std::string described(std::uint32_t service_id, flare_tier tier) {
  return "the selection table of service " + std::to_string(service_id) + ", tier " +
         std::to_string(tier);
}

/// A map of 1 + slots entries: the number of slots, then the slots.
Result<UniqueFd> make_inner(std::span<const std::uint32_t> slots) {
  auto entries = static_cast<__u32>(slots.size() + 1);
  struct bpf_map_create_opts opts;
  reset_libbpf_options(opts);
  opts.map_flags = BPF_F_INNER_MAP;
  UniqueFd fd(bpf_map_create(BPF_MAP_TYPE_ARRAY, "flare_table", sizeof(__u32), sizeof(__u32),
                             entries, &opts));
  if (!fd) return refused("cannot make a selection table", errno, "CAP_BPF");
  std::vector<std::uint32_t> keys(entries);
  std::iota(keys.begin(), keys.end(), 0U);
  std::vector<std::uint32_t> values;
  values.reserve(entries);
  values.push_back(entries - 1);
  values.insert(values.end(), slots.begin(), slots.end());
  __u32 written = entries;
  if (bpf_map_update_batch(fd.get(), keys.data(), values.data(), &written, nullptr) != 0) {
    return Error::from_errno("cannot fill a selection table", errno);
  }
  return fd;
}

Result<void> check_slots(const Selection& table) {
  if (!table.slots.empty() && table.slots.size() <= FLARE_TABLE_SLOTS_MAX) return {};
  return Error("cannot publish " + described(table.service_id, table.tier) + ": " +
               std::to_string(table.slots.size()) + " slots, not 1 to " +
               std::to_string(FLARE_TABLE_SLOTS_MAX));
}

/// Each table is a descriptor until it is published.
constexpr std::size_t kAtOnce = 256;

}  // namespace

Result<TableMap> TableMap::adopt(MapHandle handle) {
  auto fits = handle.expect({sizeof(std::uint32_t), sizeof(std::uint32_t)});
  if (!fits) return fits.error();
  if (handle.type() != BPF_MAP_TYPE_ARRAY_OF_MAPS) {
    return Error("map '" + handle.name() + "' is no array of maps");
  }
  return TableMap(std::move(handle));
}

Result<TableMap> TableMap::open(const std::filesystem::path& pin, Access access) {
  auto handle = MapHandle::open(pin, access);
  if (!handle) return handle.error();
  return adopt(*std::move(handle));
}

Result<void> TableMap::publish(std::uint32_t service_id, flare_tier tier,
                               std::span<const std::uint32_t> slots) const {
  const Selection table{service_id, tier, slots};
  return publish(std::span(&table, 1));
}

Result<void> TableMap::publish(std::span<const Selection> tables) const {
  for (; !tables.empty(); tables = tables.subspan(std::min(kAtOnce, tables.size()))) {
    std::vector<std::uint32_t> places;
    std::vector<UniqueFd> inner;
    std::vector<int> fds;
    for (const Selection& table : tables.first(std::min(kAtOnce, tables.size()))) {
      auto fits = check_slots(table);
      if (!fits) return fits.error();
      auto made = make_inner(table.slots);
      if (!made) {
        return made.error().within("cannot publish " + described(table.service_id, table.tier));
      }
      places.push_back(place_of(table.service_id, table.tier));
      fds.push_back(made->get());
      inner.push_back(*std::move(made));
    }
    auto updated = handle_.update_batch(places.data(), fds.data(), places.size());
    if (!updated) return updated.error();
  }
  return {};
}

Result<void> TableMap::withdraw(std::uint32_t service_id, flare_tier tier) const {
  std::uint32_t place = place_of(service_id, tier);
  auto erased = handle_.erase(&place);
  if (!erased) return erased.error();
  return {};
}

Result<std::vector<std::uint32_t>> TableMap::read(std::uint32_t service_id, flare_tier tier) const {
  std::uint32_t place = place_of(service_id, tier);
  std::uint32_t inner_id = 0;
  if (!handle_.lookup(&place, &inner_id) || inner_id == 0) return std::vector<std::uint32_t>{};
  UniqueFd fd(bpf_map_get_fd_by_id(inner_id));
  if (!fd) {
    return refused("cannot open " + described(service_id, tier), errno, "CAP_SYS_ADMIN");
  }
  auto inner = MapHandle::adopt(std::move(fd), "flare_table");
  if (!inner) return inner.error();
  auto fits = inner->expect({sizeof(std::uint32_t), sizeof(std::uint32_t)});
  if (!fits) return fits.error();
  std::uint32_t entries = inner->max_entries();
  std::vector<std::uint32_t> values;
  values.reserve(entries);
  for (std::uint32_t key = 0; key < entries; ++key) {
    std::uint32_t value = 0;
    if (!inner->lookup(&key, &value)) break;
    if (key > 0 && key > values.front()) break;
    values.push_back(value);
  }
  if (!values.empty()) values.erase(values.begin());
  return values;
}

}  // namespace flare
