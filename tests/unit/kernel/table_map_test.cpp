// Selection tables are swapped whole and read back.
#include "kernel/table_map.h"

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
