#include "kernel/layout_plan.h"

#include <bpf/btf.h>

#include <algorithm>
#include <cstring>
#include <optional>

namespace flare {
namespace {

/// A type without its names and qualifiers.
const btf_type* bare(const btf& types, std::uint32_t& id) {
  const btf_type* type = btf__type_by_id(&types, id);
  while (type != nullptr && (btf_is_mod(type) || btf_is_typedef(type))) {
    id = type->type;
    type = btf__type_by_id(&types, id);
  }
  return type;
}

std::uint32_t bytes_of(const btf& types, std::uint32_t id) {
  return static_cast<std::uint32_t>(std::max<__s64>(btf__resolve_size(&types, id), 0));
}

const btf_member* member_of(const btf& types, const btf_type* record, const char* name) {
  const btf_member* members = btf_members(record);
  for (std::uint32_t i = 0; i < btf_vlen(record); ++i) {
    const char* found = btf__name_by_offset(&types, members[i].name_off);
    if (found != nullptr && std::strcmp(found, name) == 0) return &members[i];
  }
  return nullptr;
}

/// One side of a comparison.
struct Place {
  const btf& types;
  std::uint32_t id;
  std::uint32_t at;  ///< bytes from the record's start
};

void add(std::vector<FieldMove>& moves, const FieldMove& move) {
  if (move.bytes == 0) return;
  if (!moves.empty()) {
    FieldMove& last = moves.back();
    if (last.from + last.bytes == move.from && last.to + last.bytes == move.to) {
      last.bytes += move.bytes;
      return;
    }
  }
  moves.push_back(move);
}

void compare(Place from, Place to, std::vector<FieldMove>& moves, int depth = 0);

void compare_members(const Place& from, const btf_type* old_record, const Place& to,
                     const btf_type* new_record, std::vector<FieldMove>& moves, int depth) {
  for (std::uint32_t i = 0; i < btf_vlen(new_record); ++i) {
    const btf_member& fresh = btf_members(new_record)[i];
    const char* name = btf__name_by_offset(&to.types, fresh.name_off);
    const btf_member* old = member_of(from.types, old_record, name);
    if (old == nullptr) continue;
    compare({from.types, old->type, from.at + old->offset / 8},
            {to.types, fresh.type, to.at + fresh.offset / 8}, moves, depth + 1);
  }
}

void compare_elements(const Place& from, const btf_type* old_array, const Place& to,
                      const btf_type* new_array, std::vector<FieldMove>& moves, int depth) {
  const struct btf_array* old = btf_array(old_array);
  const struct btf_array* fresh = btf_array(new_array);
  const std::uint32_t old_step = bytes_of(from.types, old->type);
  const std::uint32_t new_step = bytes_of(to.types, fresh->type);
  for (std::uint32_t i = 0; i < std::min(old->nelems, fresh->nelems); ++i) {
    compare({from.types, old->type, from.at + i * old_step},
            {to.types, fresh->type, to.at + i * new_step}, moves, depth + 1);
  }
}

/// Both machines that Flare is built for store the low byte of a number first.
void compare(Place from, Place to, std::vector<FieldMove>& moves, int depth) {
  constexpr int kDepthMax = 8;
  const btf_type* old = bare(from.types, from.id);
  const btf_type* fresh = bare(to.types, to.id);
  if (old == nullptr || fresh == nullptr || btf_kind(old) != btf_kind(fresh) || depth > kDepthMax)
    return;
  if (btf_is_struct(fresh)) return compare_members(from, old, to, fresh, moves, depth);
  if (btf_is_array(fresh)) return compare_elements(from, old, to, fresh, moves, depth);
  add(moves, {from.at, to.at, std::min(bytes_of(from.types, from.id), bytes_of(to.types, to.id))});
}

/// The type behind `key` or `value` of a map's declaration: each is a pointer to it.
std::optional<std::uint32_t> declared(const btf& types, const std::string& map, const char* part) {
  const __s32 section = btf__find_by_name_kind(&types, ".maps", BTF_KIND_DATASEC);
  if (section < 0) return std::nullopt;
  const btf_type* maps = btf__type_by_id(&types, static_cast<__u32>(section));
  for (std::uint32_t i = 0; i < btf_vlen(maps); ++i) {
    const btf_type* variable = btf__type_by_id(&types, btf_var_secinfos(maps)[i].type);
    if (map != btf__name_by_offset(&types, variable->name_off)) continue;
    std::uint32_t id = variable->type;
    const btf_type* record = bare(types, id);
    if (record == nullptr || !btf_is_struct(record)) return std::nullopt;
    const btf_member* member = member_of(types, record, part);
    if (member == nullptr) return std::nullopt;
    const btf_type* pointer = btf__type_by_id(&types, member->type);
    if (pointer == nullptr || !btf_is_ptr(pointer)) return std::nullopt;
    return pointer->type;
  }
  return std::nullopt;
}

std::optional<RecordPlan> plan_record(const btf& old_types, const btf& new_types,
                                      const std::string& map, const char* part) {
  const auto old = declared(old_types, map, part);
  const auto fresh = declared(new_types, map, part);
  if (!old || !fresh) return std::nullopt;
  RecordPlan plan;
  plan.old_bytes = bytes_of(old_types, *old);
  plan.new_bytes = bytes_of(new_types, *fresh);
  compare({old_types, *old, 0}, {new_types, *fresh, 0}, plan.moves);
  if (plan.moves.empty()) return std::nullopt;
  return plan;
}

}  // namespace

std::vector<std::byte> RecordPlan::apply(std::span<const std::byte> record) const {
  std::vector<std::byte> fresh(new_bytes);
  for (const FieldMove& move : moves) {
    const auto bytes = record.subspan(move.from, move.bytes);
    std::copy(bytes.begin(), bytes.end(), fresh.begin() + move.to);
  }
  return fresh;
}

Result<MapPlan> plan_map(const btf& old_types, const btf& new_types, const std::string& map) {
  auto key = plan_record(old_types, new_types, map, "key");
  auto value = plan_record(old_types, new_types, map, "value");
  if (!key || !value) return Error("map '" + map + "' is not in both layouts");
  return MapPlan{*std::move(key), *std::move(value)};
}

}  // namespace flare
