// From one layout of a record to another, by the type information of both.
#include <bpf/btf.h>

#include <cstring>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <vector>

#include "kernel/layout_plan.h"
#include "kernel_test.h"

namespace flare {
namespace {

struct Field {
  const char* name;
  std::uint32_t bytes;  ///< 4 or 8, of each element
  std::uint32_t at;
  std::uint32_t elements = 1;
};

using Types = std::unique_ptr<btf, void (*)(btf*)>;

/// An object that declares one map, `things`, from numbers to records with these fields.
Types object_with(std::initializer_list<Field> fields, std::uint32_t bytes) {
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
  const int variable = btf__add_var(to, "things", BTF_VAR_GLOBAL_ALLOCATED, map);
  btf__add_datasec(to, ".maps", 16);
  EXPECT_EQ(btf__add_datasec_var_info(to, variable, 0, 16), 0);
  return types;
}

std::vector<std::byte> bytes_of(std::initializer_list<std::uint32_t> words) {
  std::vector<std::byte> bytes(words.size() * sizeof(std::uint32_t));
  std::memcpy(bytes.data(), std::data(words), bytes.size());
  return bytes;
}

TEST(LayoutPlan, FollowsFieldsByTheirNames) {
  const auto old = object_with({{"a", 4, 0}, {"gone", 4, 4}, {"b", 8, 8}, {"c", 4, 16}}, 24);
  const auto fresh = object_with({{"b", 8, 0}, {"added", 8, 8}, {"c", 8, 16}, {"a", 4, 24}}, 32);
  const auto plan = plan_map(*old, *fresh, "things");
  ASSERT_OK(plan);
  EXPECT_EQ(plan->value.old_bytes, 24U);
  EXPECT_EQ(plan->value.new_bytes, 32U);
  EXPECT_EQ(plan->value.apply(bytes_of({1, 99, 2, 3, 4, 99})), bytes_of({2, 3, 0, 0, 4, 0, 1, 0}))
      << "c became wider";
  const auto back = plan_map(*fresh, *old, "things");
  ASSERT_OK(back);
  EXPECT_EQ(back->value.apply(bytes_of({2, 3, 99, 99, 4, 0, 1, 99})), bytes_of({1, 0, 2, 3, 4, 0}));
}

TEST(LayoutPlan, FollowsElements) {
  const auto old = object_with({{"list", 4, 0, 3}, {"z", 4, 12}}, 16);
  const auto fresh = object_with({{"z", 4, 0}, {"list", 8, 8, 2}}, 24);
  const auto plan = plan_map(*old, *fresh, "things");
  ASSERT_OK(plan);
  EXPECT_EQ(plan->value.apply(bytes_of({1, 2, 3, 9})), bytes_of({9, 0, 1, 0, 2, 0}));
  const auto back = plan_map(*fresh, *old, "things");
  ASSERT_OK(back);
  EXPECT_EQ(back->value.moves, (std::vector<FieldMove>{{8, 0, 4}, {16, 4, 4}, {0, 12, 4}}))
      << "what only the longer list has is nowhere to be read";
  EXPECT_EQ(back->value.apply(bytes_of({9, 0, 1, 0, 2, 0})), bytes_of({1, 2, 0, 9}));
}

TEST(LayoutPlan, OfOneLayoutIsOneMove) {
  const auto one = object_with({{"a", 4, 0}, {"b", 4, 4}, {"c", 8, 8}}, 16);
  const auto plan = plan_map(*one, *one, "things");
  ASSERT_OK(plan);
  EXPECT_EQ(plan->value.moves, (std::vector<FieldMove>{{0, 0, 16}}));
  EXPECT_EQ(plan->key.moves, (std::vector<FieldMove>{{0, 0, 4}}));
}

TEST(LayoutPlan, RefusesAMapThatOnlyOneLayoutHas) {
  const auto one = object_with({{"a", 4, 0}}, 4);
  const auto other = object_with({{"b", 4, 0}}, 4);
  EXPECT_FALSE(plan_map(*one, *one, "others"));
  EXPECT_FALSE(plan_map(*one, *other, "things")) << "no field in common";
}

}  // namespace
}  // namespace flare
