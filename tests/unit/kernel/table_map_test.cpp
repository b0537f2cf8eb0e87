// Selection tables are swapped whole and read back.
#include "kernel/table_map.h"

#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "control/maglev.h"
#include "kernel_test.h"

namespace flare {
namespace {

class TableMapTest : public KernelTest {};

TEST_F(TableMapTest, PublishesSwapsAndWithdraws) {
  auto datapath = Datapath::load(options_);
  ASSERT_OK(datapath);
  const TableMap& tables = datapath->maps().tables;
  std::vector<std::uint32_t> first{1, 2, 3};
  std::vector<std::uint32_t> second(65537, 5);
  ASSERT_OK(tables.publish(1, FLARE_TIER_SERVERLESS, first));
  auto read = tables.read(1, FLARE_TIER_SERVERLESS);
  ASSERT_OK(read);
  EXPECT_EQ(*read, first);
  ASSERT_OK(tables.publish(1, FLARE_TIER_SERVERLESS, second));
  read = tables.read(1, FLARE_TIER_SERVERLESS);
  ASSERT_OK(read);
  EXPECT_EQ(*read, second);
  auto other = tables.read(1, FLARE_TIER_VM);
  ASSERT_OK(other);
  EXPECT_TRUE(other->empty());
  ASSERT_OK(tables.withdraw(1, FLARE_TIER_SERVERLESS));
  ASSERT_OK(tables.withdraw(1, FLARE_TIER_SERVERLESS));
  read = tables.read(1, FLARE_TIER_SERVERLESS);
  ASSERT_OK(read);
  EXPECT_TRUE(read->empty());
}

TEST_F(TableMapTest, PublishesManyAtOnce) {
  auto datapath = Datapath::load(options_);
  ASSERT_OK(datapath);
  const TableMap& tables = datapath->maps().tables;
  const std::vector<std::uint32_t> vm{1, 2};
  const std::vector<std::uint32_t> serverless{3};
  const std::vector<Selection> both{{1, FLARE_TIER_VM, vm}, {2, FLARE_TIER_SERVERLESS, serverless}};
  ASSERT_OK(tables.publish(both));
  EXPECT_EQ(*tables.read(1, FLARE_TIER_VM), vm);
  EXPECT_EQ(*tables.read(2, FLARE_TIER_SERVERLESS), serverless);
  EXPECT_TRUE(tables.read(2, FLARE_TIER_VM)->empty());
}

/// `count` backends with ids from `first` on.
std::vector<MaglevBackend> backends_from(std::uint32_t first, std::uint32_t count) {
  std::vector<MaglevBackend> backends;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::string text = "10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1);
    backends.push_back({first + i, *Endpoint::parse(text + ":80"), 1 + i % 3});
  }
  return backends;
}

double cpu_ms() {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) * 1e3 + static_cast<double>(used.tv_nsec) / 1e6;
}

TEST_F(TableMapTest, OfAThousandBackendsIsNeverSeenTorn) {
  constexpr std::uint32_t kBackends = 1000;
  constexpr int kRebuilds = 20;
  auto datapath = Datapath::load(options_);
  ASSERT_OK(datapath);
  const TableMap& tables = datapath->maps().tables;
  const auto low = backends_from(1, kBackends);
  const auto high = backends_from(1 + kBackends, kBackends);
  const HashKey key{1, 2};
  const std::uint32_t slots = maglev_slots(low);
  ASSERT_OK(tables.publish(1, FLARE_TIER_VM, maglev_table(low, key, slots)));

  std::atomic<bool> stop = false;
  std::uint64_t reads = 0, torn = 0;
  std::thread reader([&] {
    while (!stop) {
      const auto table = tables.read(1, FLARE_TIER_VM);
      if (!table) continue;  // the one that it was about to open has just gone
      const auto of_low = std::count_if(table->begin(), table->end(),
                                        [](std::uint32_t id) { return id <= kBackends; });
      const bool whole = of_low == 0 || of_low == static_cast<std::ptrdiff_t>(table->size());
      torn += whole && table->size() == slots ? 0U : 1U;
      ++reads;
    }
  });
  std::vector<double> wall, cpu;
  for (int i = 0; i < kRebuilds; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const double used = cpu_ms();
    const auto table = maglev_table(i % 2 == 0 ? high : low, key, slots);
    EXPECT_OK(tables.publish(1, FLARE_TIER_VM, table));
    cpu.push_back(cpu_ms() - used);
    wall.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
            .count());
  }
  stop = true;
  reader.join();
  std::sort(wall.begin(), wall.end());
  std::sort(cpu.begin(), cpu.end());
  EXPECT_EQ(torn, 0U);
  EXPECT_GT(reads, 0U);
  EXPECT_LT(cpu[kRebuilds / 2], 100) << "of CPU time, whatever else runs";
  RecordProperty("rebuilds", kRebuilds);
  RecordProperty("torn", std::to_string(torn));
  RecordProperty("reads", std::to_string(reads));
  RecordProperty("slots", static_cast<int>(slots));
  RecordProperty("median_ms", std::to_string(wall[kRebuilds / 2]));
  RecordProperty("median_cpu_ms", std::to_string(cpu[kRebuilds / 2]));
  std::printf("  1,000 backends, %u slots: rebuilt in %.1f ms (median; CPU %.1f ms), %llu reads\n",
              slots, wall[kRebuilds / 2], cpu[kRebuilds / 2],
              static_cast<unsigned long long>(reads));
}

TEST_F(TableMapTest, RefusesAnEmptyTableAndKeepsTheOldOne) {
  auto datapath = Datapath::load(options_);
  ASSERT_OK(datapath);
  const TableMap& tables = datapath->maps().tables;
  std::vector<std::uint32_t> slots{4};
  ASSERT_OK(tables.publish(0, FLARE_TIER_SERVERLESS, slots));
  EXPECT_FALSE(tables.publish(0, FLARE_TIER_SERVERLESS, {}));
  EXPECT_FALSE(tables.publish(4, FLARE_TIER_SERVERLESS, slots));
  auto read = tables.read(0, FLARE_TIER_SERVERLESS);
  ASSERT_OK(read);
  EXPECT_EQ(*read, slots);
}

}  // namespace
}  // namespace flare
