// Selection tables: exact weights, little disruption, nobody served who should not be.
#include "control/maglev.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <set>

namespace flare {
namespace {

constexpr HashKey kKey{0x1122334455667788ULL, 0x99aabbccddeeff00ULL};

MaglevBackend backend(std::uint32_t number, std::uint32_t weight) {
  const std::string text =
      "198.51." + std::to_string(number / 250) + "." + std::to_string(number % 250 + 1) + ":8080";
  return {number + 1, *Endpoint::parse(text), weight};
}

std::vector<MaglevBackend> equal_backends(std::uint32_t count) {
  std::vector<MaglevBackend> backends;
  for (std::uint32_t i = 0; i < count; ++i) backends.push_back(backend(i, 1));
  return backends;
}

std::vector<std::uint32_t> table_of(const std::vector<MaglevBackend>& backends,
                                    const HashKey& key = kKey) {
  return maglev_table(backends, key, maglev_slots(backends));
}

std::map<std::uint32_t, std::uint32_t> count(const std::vector<std::uint32_t>& table) {
  std::map<std::uint32_t, std::uint32_t> slots;
  for (const std::uint32_t id : table) ++slots[id];
  return slots;
}

TEST(Maglev, WithoutAnyWeightHasNoSlots) {
  EXPECT_TRUE(table_of({}).empty());
  EXPECT_TRUE(table_of({backend(0, 0), backend(1, 0)}).empty());
}

TEST(Maglev, OfOneBackendIsThatBackend) {
  EXPECT_EQ(table_of({backend(4, 7), backend(5, 0)}), std::vector<std::uint32_t>{5});
}

TEST(Maglev, GivesWeightZeroNothing) {
  const auto slots = count(table_of({backend(0, 3), backend(1, 0), backend(2, 1)}));
  EXPECT_EQ(slots.size(), 2U);
  EXPECT_FALSE(slots.contains(2));
}

TEST(Maglev, HoldsEachWeightToOneSlot) {
  std::minstd_rand random(7);
  for (int round = 0; round < 40; ++round) {
    std::vector<MaglevBackend> backends;
    std::uint64_t total = 0;
    const std::uint32_t size = 2 + static_cast<std::uint32_t>(random() % 60);
    for (std::uint32_t i = 0; i < size; ++i) {
      backends.push_back(backend(i, 1 + static_cast<std::uint32_t>(random() % 100)));
      total += backends.back().weight;
    }
    const auto table = table_of(backends);
    const auto slots = count(table);
    for (const MaglevBackend& one : backends) {
      const double wanted = static_cast<double>(one.weight) / static_cast<double>(total);
      const double given =
          static_cast<double>(slots.at(one.id)) / static_cast<double>(table.size());
      ASSERT_NEAR(given, wanted, 1.0 / 1024) << "backend " << one.id << " of " << size;
    }
  }
}

TEST(Maglev, GivesASmallWeightAtLeastOneSlot) {
  const auto slots = count(table_of({backend(0, 65'535), backend(1, 1), backend(2, 65'535)}));
  EXPECT_GE(slots.at(2), 1U);
}

TEST(Maglev, DoesNotDependOnTheOrder) {
  auto backends = equal_backends(20);
  backends[3].weight = 5;
  const auto table = table_of(backends);
  std::reverse(backends.begin(), backends.end());
  EXPECT_EQ(table_of(backends), table);
}

TEST(Maglev, DependsOnTheKey) {
  const auto backends = equal_backends(10);
  EXPECT_NE(table_of(backends), table_of(backends, HashKey{1, 2}));
}

TEST(Maglev, UsesPrimesThatGrowWithTheSet) {
  EXPECT_EQ(maglev_slots(equal_backends(2)), 2039U);
  EXPECT_EQ(maglev_slots(equal_backends(20)), 2039U);
  EXPECT_EQ(maglev_slots(equal_backends(21)), 16381U);
  EXPECT_EQ(maglev_slots(equal_backends(500)), 65537U);
  EXPECT_EQ(maglev_slots(equal_backends(2000)), 65537U);
}

TEST(Maglev, KeepsItsSizeWhileThatWillDo) {
  EXPECT_EQ(maglev_slots(equal_backends(21), 2039), 2039U);
  EXPECT_EQ(maglev_slots(equal_backends(81), 2039), 2039U);
  EXPECT_EQ(maglev_slots(equal_backends(82), 2039), 16381U);
  EXPECT_EQ(maglev_slots(equal_backends(2), 65537), 65537U) << "it never shrinks";
  EXPECT_EQ(maglev_slots(equal_backends(1), 2039), 2039U);
  EXPECT_EQ(maglev_slots(equal_backends(0), 2039), 0U);
  EXPECT_EQ(maglev_slots(equal_backends(21), 2040), 16381U) << "no size of ours";
  auto light = equal_backends(3);
  for (auto& backend : light) backend.weight = 1000;
  light[0].weight = 1;
  EXPECT_EQ(maglev_slots(light, 2039), 2039U);
  light[1].weight = 1100;
  EXPECT_EQ(maglev_slots(light, 2039), 16381U) << "the lightest would come to less than a slot";
}

class Removal : public testing::TestWithParam<std::uint32_t> {};

TEST_P(Removal, OfOneMovesLittleButItsOwnSlots) {
  auto backends = equal_backends(GetParam());
  const std::uint32_t slots = maglev_slots(backends);
  const auto before = maglev_table(backends, kKey, slots);
  const std::uint32_t gone = backends[GetParam() / 2].id;
  backends.erase(backends.begin() + GetParam() / 2);
  const auto after = maglev_table(backends, kKey, slots);
  std::size_t moved = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    ASSERT_NE(after[i], gone);
    if (before[i] != gone && before[i] != after[i]) ++moved;
  }
  EXPECT_LT(static_cast<double>(moved) / static_cast<double>(before.size()), 0.02)
      << moved << " of " << before.size() << " slots of others moved";
}

INSTANTIATE_TEST_SUITE_P(Sets, Removal, testing::Values(3U, 10U, 100U, 600U));

TEST(Maglev, OfAFullSizeHasEveryBackend) {
  const auto backends = equal_backends(4000);
  EXPECT_EQ(count(table_of(backends)).size(), 4000U);
}

}  // namespace
}  // namespace flare
