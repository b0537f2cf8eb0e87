// Tables line up, with and without headers and colour.
#include "flarectl/table.h"

#include <gtest/gtest.h>

#include <sstream>

namespace flare::ctl {
namespace {

std::string printed(const Table& table, const Context& context) {
  std::ostringstream out;
  table.print(out, context);
  return out.str();
}

Table small_table() {
  Table table({{"NAME"}, {"COUNT", Align::kRight}, {"STATE"}});
  table.add({"web", "4,711", Cell("good", Tone::kGood)});
  table.add({"a-long-name", "3", "bad"});
  return table;
}

TEST(TableTest, LinesUpColumnsByTheirWidestCell) {
  EXPECT_EQ(printed(small_table(), {}),
            "NAME         COUNT  STATE\n"
            "web          4,711  good\n"
            "a-long-name      3  bad\n");
}

TEST(TableTest, LeavesTheHeaderOut) {
  Context context;
  context.headers = false;
  EXPECT_EQ(printed(small_table(), context),
            "web          4,711  good\n"
            "a-long-name      3  bad\n");
}

TEST(TableTest, ColoursWithoutMovingAnything) {
  Context context;
  context.headers = false;
  context.colour = true;
  EXPECT_EQ(printed(small_table(), context),
            "web          4,711  \033[32mgood\033[0m\n"
            "a-long-name      3  bad\n");
}

}  // namespace
}  // namespace flare::ctl
