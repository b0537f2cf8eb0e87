// The page and the data that are made of a report.
#include <gtest/gtest.h>

#include "trust/words.h"

namespace flare::trust {
namespace {

Entry entry_of(const std::string& id, const std::string& filter) {
  Entry entry;
  entry.id = id;
  entry.fault = "this | that";
  entry.expected = "nothing lost";
  if (!filter.empty()) entry.tests = {{filter.substr(0, filter.find(':')), "S.*", 1}};
  return entry;
}

/// An entry that survived, one that failed, one not run and one open.
Report made_report() {
  Block block{"packets.yaml", "packets", "Packets", "4 of 4", {}};
  block.entries = {entry_of("P1", "bpf:"), entry_of("P2", "e2e:"), entry_of("P3", "soak:"),
                   entry_of("P4", "")};
  block.entries[0].figures = {{"lost_packets", false, 1}};
  block.entries[3].open = "no such device";
  return judge(
      {block},
      {{"bpf",
        {"bpf",
         "2026-01-02T03:04:05Z",
         {{"S.A", Status::kPassed, {{"lost_packets", "0"}}}, {"S.B", Status::kPassed, {}}}}},
       {"e2e", {"e2e", "", {{"S.A", Status::kFailed, {}}}}}});
}

TEST(Page, HasARowForEachEntry) {
  const std::string page = markdown_of(made_report());
  for (const char* line : {
           "| Packets | 1 / 2 | 4 | 1 open, 1 not run | 4 of 4 |\n",
           "Survived / tried: 1 / 2. Not tried: 1 open, 1 not run. Target: 4 of 4.\n",
           "| P1 | this \\| that | nothing lost | `bpf:S.*` | 2/2 | lost packets 0 |\n",
           "| P2 | this \\| that | nothing lost | `e2e:S.*` | FAILED, 0/1 |  |\n",
           "| P3 | this \\| that | nothing lost | `soak:S.*` | not run: soak |  |\n",
           "| P4 | this \\| that | nothing lost | open: no such device | open |  |\n",
           "| `bpf` | 2 | 2 | 0 | 2026-01-02T03:04:05Z |\n",
           "| `e2e` | 1 | 0 | 0 |  |\n",
       })
    EXPECT_NE(page.find(line), std::string::npos) << line << "is not in\n" << page;
}

TEST(Data, SaysTheSame) {
  const nlohmann::json json = json_of(made_report());
  EXPECT_EQ(json["schema"], "flare-trust/1");
  EXPECT_EQ(json["holds"], false);
  const nlohmann::json& block = json["blocks"][0];
  EXPECT_EQ(block["survived"], 1);
  EXPECT_EQ(block["tried"], 2);
  EXPECT_EQ(block["open"], 1);
  EXPECT_EQ(block["entries"][0]["verdict"], "survived");
  EXPECT_EQ(block["entries"][0]["figures"]["lost_packets"], "0");
  EXPECT_EQ(block["entries"][1]["verdict"], "FAILED");
  EXPECT_EQ(block["entries"][1]["failed"][0], "e2e:S.A");
  EXPECT_EQ(block["entries"][2]["verdict"], "not run");
  EXPECT_EQ(block["entries"][3]["open"], "no such device");
}

}  // namespace
}  // namespace flare::trust
