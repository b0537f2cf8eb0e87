// Maps with types: what is adopted, what is refused, and that a walk sees everything once.
#include "kernel/typed_map.h"

#include <linux/bpf.h>

#include <set>

#include "kernel/mapped_array.h"
#include "kernel_test.h"

namespace flare {
namespace {

struct Words {
  __u64 first;
  __u64 second;
  bool operator==(const Words&) const = default;
};

class TypedMapTest : public testing::Test {
 protected:
  void SetUp() override { FLARE_NEEDS_ROOT(); }

  static Result<TypedMap<std::uint32_t, Words>> adopt(UniqueFd fd) {
    auto handle = MapHandle::adopt(std::move(fd), "test");
    if (!handle) return handle.error();
    return TypedMap<std::uint32_t, Words>::adopt(*std::move(handle));
  }
};

TEST_F(TypedMapTest, FindsWhatWasWrittenAndNothingElse) {
  auto map = adopt(make_map(BPF_MAP_TYPE_HASH, 4, sizeof(Words), 8));
  ASSERT_OK(map);
  EXPECT_EQ(map->lookup(7), std::nullopt);
  ASSERT_OK(map->update(7, {1, 2}));
  EXPECT_EQ(map->lookup(7), (Words{1, 2}));
  EXPECT_FALSE(map->update(7, {3, 4}, MapUpdate::kNoExist));
  EXPECT_EQ(map->lookup(7), (Words{1, 2}));
  auto erased = map->erase(7);
  ASSERT_OK(erased);
  EXPECT_TRUE(*erased);
  erased = map->erase(7);
  ASSERT_OK(erased);
  EXPECT_FALSE(*erased);
}

TEST_F(TypedMapTest, TakesAnEntryWithItsLastValue) {
  auto map = adopt(make_map(BPF_MAP_TYPE_HASH, 4, sizeof(Words), 8));
  ASSERT_OK(map);
  ASSERT_OK(map->update(7, {1, 2}));
  auto taken = map->take(7);
  ASSERT_OK(taken);
  EXPECT_EQ(*taken, (Words{1, 2}));
  taken = map->take(7);
  ASSERT_OK(taken);
  EXPECT_EQ(*taken, std::nullopt);
}

TEST_F(TypedMapTest, RefusesOtherSizesAndPerCpuMaps) {
  EXPECT_FALSE(adopt(make_map(BPF_MAP_TYPE_HASH, 8, sizeof(Words), 8)));
  EXPECT_FALSE(adopt(make_map(BPF_MAP_TYPE_HASH, 4, sizeof(Words) + 8, 8)));
  auto per_cpu = adopt(make_map(BPF_MAP_TYPE_PERCPU_HASH, 4, sizeof(Words), 8));
  ASSERT_FALSE(per_cpu);
  EXPECT_NE(per_cpu.error().message().find("per-CPU"), std::string::npos);
}

TEST_F(TypedMapTest, SaysThatAMapIsFull) {
  auto map = adopt(make_map(BPF_MAP_TYPE_HASH, 4, sizeof(Words), 1));
  ASSERT_OK(map);
  ASSERT_OK(map->update(1, {}));
  auto refused = map->update(2, {});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("full (1 entries)"), std::string::npos);
}

struct WalkCase {
  const char* name;
  bpf_map_type type;
  std::uint32_t flags;
};
class Walk : public testing::TestWithParam<WalkCase> {};

TEST_P(Walk, SeesEveryEntryOnceInSmallSteps) {
  FLARE_NEEDS_ROOT();
  constexpr std::uint32_t kEntries = 1000;
  auto handle = MapHandle::adopt(
      make_map(GetParam().type, 4, sizeof(Words), kEntries * 2, GetParam().flags), "test");
  ASSERT_OK(handle);
  auto map = TypedMap<std::uint32_t, Words>::adopt(*std::move(handle));
  ASSERT_OK(map);
  for (std::uint32_t i = 0; i < kEntries; ++i) ASSERT_OK(map->update(i, {i, i + 1}));
  std::multiset<std::uint32_t> seen;
  MapCursor cursor;
  do {
    auto entries = map->next(cursor, 1);
    ASSERT_OK(entries);
    for (const auto& entry : *entries) {
      if (entry.value.second == 0) continue;  // an array's entries that were never written
      EXPECT_EQ(entry.value, (Words{entry.key, entry.key + 1}));
      seen.insert(entry.key);
    }
  } while (!cursor.at_start());
  EXPECT_EQ(seen.size(), kEntries);
  EXPECT_EQ(std::set<std::uint32_t>(seen.begin(), seen.end()).size(), kEntries);
}

INSTANTIATE_TEST_SUITE_P(Kinds, Walk,
                         testing::Values(WalkCase{"Hash", BPF_MAP_TYPE_HASH, 0},
                                         WalkCase{"HashThatGrows", BPF_MAP_TYPE_HASH,
                                                  BPF_F_NO_PREALLOC},
                                         WalkCase{"Lru", BPF_MAP_TYPE_LRU_HASH, 0},
                                         WalkCase{"Array", BPF_MAP_TYPE_ARRAY, 0}),
                         [](const auto& instance) { return instance.param.name; });

class MappedArrayTest : public testing::Test {
 protected:
  void SetUp() override { FLARE_NEEDS_ROOT(); }
  static Result<MappedArray<Words>> map(std::uint32_t flags) {
    auto handle = MapHandle::adopt(make_map(BPF_MAP_TYPE_ARRAY, 4, sizeof(Words), 300, flags), "t");
    if (!handle) return handle.error();
    return MappedArray<Words>::adopt(*std::move(handle), Access::kReadWrite);
  }
};

TEST_F(MappedArrayTest, IsTheSameMemoryAsTheMap) {
  auto array = map(BPF_F_MMAPABLE);
  ASSERT_OK(array);
  array->set(299, &Words::second, 40);
  EXPECT_EQ(array->add(299, &Words::second, 2), 40U);
  Words by_call{};
  std::uint32_t key = 299;
  ASSERT_EQ(bpf_map_lookup_elem(array->handle().fd(), &key, &by_call), 0);
  EXPECT_EQ(by_call, (Words{0, 42}));
  Words sum{1, 1};
  array->accumulate(299, sum);
  EXPECT_EQ(sum, (Words{1, 43}));
  array->clear(299);
  EXPECT_EQ(array->read(299), (Words{0, 0}));
}

TEST_F(MappedArrayTest, SubtractsNoFurtherThanToZero) {
  auto array = map(BPF_F_MMAPABLE);
  ASSERT_OK(array);
  array->set(0, &Words::first, 5);
  EXPECT_EQ(array->sub_to_zero(0, &Words::first, 3), 3U);
  EXPECT_EQ(array->sub_to_zero(0, &Words::first, 3), 2U);
  EXPECT_EQ(array->get(0, &Words::first), 0U);
}

TEST_F(MappedArrayTest, RefusesAMapThatCannotBeMapped) {
  auto array = map(0);
  ASSERT_FALSE(array);
  EXPECT_NE(array.error().message().find("BPF_F_MMAPABLE"), std::string::npos);
}

}  // namespace
}  // namespace flare
