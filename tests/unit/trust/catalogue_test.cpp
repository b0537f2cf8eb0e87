// Reading the catalogue's blocks, and what must be in the ones of this project.
#include "trust/catalogue.h"

#include <gtest/gtest.h>

#include <cctype>
#include <cstdlib>
#include <fstream>
#include <set>

namespace flare::trust {
namespace {

constexpr const char* kGood =
    "block: runtime\n"
    "title: \"Runtime faults\"\n"
    "target: \"2 of 2\"\n"
    "entries:\n"
    "  - id: R1\n"
    "    fault: \"SIGKILL\"\n"
    "    expected: \"nothing lost\"\n"
    "    tests: [\"e2e:Paths/Continuity.*/*\", \"flare-soak:soak.*\"]\n"
    "    figures: [lost, sum packets]\n"
    "  - id: R19\n"
    "    fault: \"no API\"\n"
    "    expected: \"last state stays\"\n"
    "    open: \"comes with its own work\"\n";

std::string edited(std::string_view from, std::string_view to) {
  std::string text = kGood;
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string error_of(const std::string& text) {
  const auto block = parse_block(text, "dir/runtime.yaml");
  return block ? "" : block.error().message();
}

TEST(Block, IsReadWhole) {
  const auto block = parse_block(kGood, "dir/runtime.yaml");
  ASSERT_TRUE(block) << block.error().message();
  EXPECT_EQ(block->name, "runtime");
  EXPECT_EQ(block->title, "Runtime faults");
  EXPECT_EQ(block->target, "2 of 2");
  ASSERT_EQ(block->entries.size(), 2U);
  const Entry& first = block->entries[0];
  EXPECT_EQ(first.id, "R1");
  EXPECT_EQ(first.line, 5);
  ASSERT_EQ(first.tests.size(), 2U);
  EXPECT_EQ(first.tests[1].program, "flare-soak");
  EXPECT_EQ(first.tests[1].filter, "soak.*");
  EXPECT_EQ(first.tests[1].line, 8);
  ASSERT_EQ(first.figures.size(), 2U);
  EXPECT_FALSE(first.figures[0].sum);
  EXPECT_EQ(first.figures[1].key, "packets");
  EXPECT_TRUE(first.figures[1].sum);
  EXPECT_EQ(block->entries[1].open, "comes with its own work");
}

struct BadBlock {
  const char* name;
  const char* from;
  const char* to;
  const char* says;
};

class BadBlocks : public testing::TestWithParam<BadBlock> {};

TEST_P(BadBlocks, AreRefusedByFileLineAndKey) {
  EXPECT_EQ(error_of(edited(GetParam().from, GetParam().to)), GetParam().says);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, BadBlocks,
    testing::Values(
        BadBlock{
            "UnknownKey", "fault: \"SIGKILL\"", "fault: \"SIGKILL\"\n    figure: [lost]",
            "dir/runtime.yaml:7:5: entries[0].figure: found the unknown key \"figure\" (did you "
            "mean \"figures\"?); accepted: id, fault, expected, tests, figures, open"},
        BadBlock{"MissingKey", "    fault: \"SIGKILL\"\n", "",
                 "dir/runtime.yaml:5:5: entries[0].fault: found no such key; accepted: what "
                 "happens"},
        BadBlock{"PatternWithoutProgram", "flare-soak:soak.*", "soak.*",
                 "dir/runtime.yaml:8:41: entries[0].tests[1]: found \"soak.*\"; accepted: tests "
                 "as PROGRAM:Suite.Test, with * and ?"},
        BadBlock{"TestsAndOpen", "    open:", "    tests: [\"a:b\"]\n    open:",
                 "dir/runtime.yaml:10:5: entries[1]: found tests and open; accepted: tests, or "
                 "open with the reason"},
        BadBlock{"NeitherTestsNorOpen", "    open: \"comes with its own work\"\n", "",
                 "dir/runtime.yaml:10:5: entries[1]: found neither tests nor open; accepted: one "
                 "of them"},
        BadBlock{"EmptyTests", "[\"e2e:Paths/Continuity.*/*\", \"flare-soak:soak.*\"]", "[]",
                 "dir/runtime.yaml:5:5: entries[0]: found no test; accepted: tests, or open with "
                 "the reason"},
        BadBlock{"NameOfAnotherFile", "block: runtime", "block: security",
                 "dir/runtime.yaml:1:1: block: found \"security\"; accepted: the name of the "
                 "file"}),
    [](const auto& each) { return std::string(each.param.name); });

class CatalogueFolder : public testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/flare-catalogue-XXXXXX";
    ASSERT_NE(::mkdtemp(path), nullptr);
    folder_ = path;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
  }

  std::filesystem::path folder_;
};

TEST_F(CatalogueFolder, IsShownInTheOrderOfThePage) {
  write("runtime.yaml", kGood);
  write("packets.yaml",
        "block: packets\ntitle: P\ntarget: all\nentries:\n"
        "  - {id: P1, fault: f, expected: e, open: none}\n");
  const auto blocks = read_catalogue(folder_);
  ASSERT_TRUE(blocks) << blocks.error().message();
  ASSERT_EQ(blocks->size(), 2U);
  EXPECT_EQ(blocks->front().name, "packets");
}

TEST_F(CatalogueFolder, MayNotRepeatAnId) {
  write("load.yaml",
        "block: load\ntitle: L\ntarget: all\nentries:\n"
        "  - {id: R1, fault: f, expected: e, open: none}\n");
  write("runtime.yaml", kGood);
  const auto blocks = read_catalogue(folder_);
  ASSERT_FALSE(blocks);
  EXPECT_EQ(blocks.error().message(), (folder_ / "load.yaml").string() +
                                          ":5: id: found R1 a second time, after " +
                                          (folder_ / "runtime.yaml").string());
}

TEST_F(CatalogueFolder, MayNotBeEmpty) {
  const auto blocks = read_catalogue(folder_);
  ASSERT_FALSE(blocks);
  EXPECT_EQ(blocks.error().message(), "no block of the catalogue in " + folder_.string());
}

/// The ids that a block of this project must list, none left out.
struct Series {
  const char* block;
  char letter;
  int last;
};

class OurCatalogue : public testing::TestWithParam<Series> {};

TEST_P(OurCatalogue, ListsEveryFault) {
  const auto blocks = read_catalogue(FLARE_CATALOGUE_DIR);
  ASSERT_TRUE(blocks) << blocks.error().message();
  std::set<std::string> listed;
  for (const Block& block : *blocks)
    for (const Entry& entry : block.entries)
      if (block.name == GetParam().block) listed.insert(entry.id);
  for (int number = 1; number <= GetParam().last; ++number)
    EXPECT_EQ(listed.erase(GetParam().letter + std::to_string(number)), 1U)
        << GetParam().letter << number << " is not in " << GetParam().block << ".yaml";
  for (const std::string& id : listed) {
    const bool is_part = std::isalpha(static_cast<unsigned char>(id.back())) != 0;  // as S2c of S2
    const int number = std::atoi(id.c_str() + 1);
    EXPECT_TRUE(is_part && id[0] == GetParam().letter && number >= 1 && number <= GetParam().last)
        << "there is no fault " << id;
  }
}

INSTANTIATE_TEST_SUITE_P(Blocks, OurCatalogue,
                         testing::Values(Series{"packets", 'P', 22},
                                         Series{"configuration", 'C', 10},
                                         Series{"runtime", 'R', 24}, Series{"security", 'S', 13}),
                         [](const auto& each) { return std::string(each.param.block); });

}  // namespace
}  // namespace flare::trust
