// From one layout of a record to another, by the type information of both.
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <vector>

#include "kernel/layout_plan.h"
#include "kernel_test.h"
#include "made_types.h"

namespace flare {
namespace {

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
