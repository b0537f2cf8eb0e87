// Type information of an object that declares one map, made by hand.
#pragma once

#include <bpf/btf.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <vector>

namespace flare {

struct Field {
  const char* name;
  std::uint32_t bytes;  ///< 4 or 8, of each element
  std::uint32_t at;
  std::uint32_t elements = 1;
};

using Types = std::unique_ptr<btf, void (*)(btf*)>;

/// An object that declares one map, from numbers to records of `bytes` with these fields.
inline Types object_with(std::initializer_list<Field> fields, std::uint32_t bytes,
                         const char* name = "things") {
  Types types(btf__new_empty(), btf__free);
  btf* to = types.get();
  const int u32 = btf__add_int(to, "unsigned int", 4, 0);
  const int u64 = btf__add_int(to, "unsigned long long", 8, 0);
  std::vector<int> ids;
  for (const Field& field : fields) {
    const int number = field.bytes == 4 ? u32 : u64;
    ids.push_back(field.elements == 1 ? number : btf__add_array(to, u32, number, field.elements));
  }
  const int record = btf__add_struct(to, "record", bytes);
  std::size_t next = 0;
  for (const Field& field : fields)
    EXPECT_EQ(btf__add_field(to, field.name, ids[next++], field.at * 8, 0), 0);
  const int value = btf__add_ptr(to, btf__add_const(to, record));
  const int key = btf__add_ptr(to, btf__add_typedef(to, "__u32", u32));
  const int map = btf__add_struct(to, "", 16);
  EXPECT_EQ(btf__add_field(to, "key", key, 0, 0), 0);
  EXPECT_EQ(btf__add_field(to, "value", value, 64, 0), 0);
  const int variable = btf__add_var(to, name, BTF_VAR_GLOBAL_ALLOCATED, map);
  btf__add_datasec(to, ".maps", 16);
  EXPECT_EQ(btf__add_datasec_var_info(to, variable, 0, 16), 0);
  return types;
}

}  // namespace flare
