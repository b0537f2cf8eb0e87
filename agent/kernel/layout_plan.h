// How the entries of a map of one layout become entries of another: field by field, by name, as the
// type information of both says. It calls no kernel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

struct btf;

namespace flare {

/// Bytes that stand at one place in the old record and at another in the new one.
struct FieldMove {
  std::uint32_t from = 0;
  std::uint32_t to = 0;
  std::uint32_t bytes = 0;
  bool operator==(const FieldMove&) const = default;
};

/// What becomes of one record. Fields that the new layout does not have are left out, those that
/// only it has are 0. A number that became wider keeps its value; one that became narrower its low
/// bytes.
struct RecordPlan {
  std::vector<FieldMove> moves;
  std::uint32_t old_bytes = 0;
  std::uint32_t new_bytes = 0;

  /// `record` has old_bytes, the result new_bytes.
  std::vector<std::byte> apply(std::span<const std::byte> record) const;
};

struct MapPlan {
  RecordPlan key;
  RecordPlan value;
};

/// For the map of this name, which both objects declare. Fails where one does not, or where its key
/// or value has no fields in common.
Result<MapPlan> plan_map(const btf& old_types, const btf& new_types, const std::string& map);

}  // namespace flare
