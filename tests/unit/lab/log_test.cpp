// The log of a run, written and read back; and reading JSON that others wrote.
#include "load/log.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>
#include <sstream>

#include "report/json_view.h"

namespace flare::lab {
namespace {

const std::string kHead =
    "number,intended_us,sent_us,connected_us,first_byte_us,done_us,status,tier,outcome,connection,"
    "work_us\n";

TEST(Log, IsReadAsItWasWritten) {
  RequestRecord answered;
  answered.number = 7;
  answered.intended_ns = -1'500'000;
  answered.sent_us = 10;
  answered.connected_us = 20;
  answered.first_byte_us = 30;
  answered.done_us = 40;
  answered.status = 200;
  answered.tier = Tier::kServerless;
  answered.outcome = Outcome::kOk;
  answered.connection = 5;
  answered.work_us = 73'001;
  RequestRecord never;
  never.outcome = Outcome::kNetwork;
  std::string folder = std::filesystem::temp_directory_path() / "flare-log-XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const std::filesystem::path path = std::filesystem::path(folder) / "log.csv";
  ASSERT_TRUE(write_log(path, std::vector{answered, never}));
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  std::filesystem::remove_all(folder);
  const auto read = parse_log(text.str());
  ASSERT_TRUE(read) << read.error().message();
  ASSERT_EQ(read->size(), 2U);
  const RequestRecord& first = read->front();
  EXPECT_EQ(first.number, 7U);
  EXPECT_EQ(first.intended_ns, -1'500'000);
  EXPECT_EQ(first.sent_us, 10U);
  EXPECT_EQ(first.connected_us, 20U);
  EXPECT_EQ(first.first_byte_us, 30U);
  EXPECT_EQ(first.done_us, 40U);
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first.tier, Tier::kServerless);
  EXPECT_EQ(first.outcome, Outcome::kOk);
  EXPECT_EQ(first.connection, 5U);
  EXPECT_EQ(first.work_us, 73'001U);
  EXPECT_EQ(read->back().done_us, kNever);
  EXPECT_EQ(read->back().outcome, Outcome::kNetwork);
}

TEST(Log, SaysWhichLineIsWrong) {
  const std::string good = "1,2,3,4,5,6,200,vm,ok,9,10\n";
  EXPECT_TRUE(parse_log(kHead + good));
  for (const std::string bad :
       {"1,2,3,4,5,6,200,vm,ok,9\n", "1,2,3,4,5,6,200,vm,ok,9,10,11\n",
        "1,2,3,4,5,6,200,moon,ok,9,10\n", "1,2,3,4,5,6,200,vm,fine,9,10\n",
        "1,2,3,4,5,x,200,vm,ok,9,10\n", "1,2,3,4,5,6x,200,vm,ok,9,10\n", "\n"}) {
    const auto read = parse_log(kHead + good + bad);
    ASSERT_FALSE(read) << bad;
    EXPECT_TRUE(read.error().message().starts_with("line 3")) << read.error().message();
  }
  EXPECT_FALSE(parse_log(good));
  EXPECT_FALSE(parse_log(""));
}

std::string problem_of(const JsonDocument& document) {
  const auto problem = document.problem();
  return problem ? problem->message() : "none";
}

TEST(JsonView, FirstProblemNamesFileAndWay) {
  auto document = JsonDocument::parse(R"({"a": [{"b": 1}, {"b": "x"}], "n": -1})", "file.json");
  ASSERT_TRUE(document);
  const JsonView root = document->root();
  double sum = 0;
  EXPECT_EQ(root["a"].items().size(), 2U);
  EXPECT_EQ(problem_of(*document), "none");
  for (const JsonView& item : root["a"].items()) sum += item["b"].number();
  EXPECT_EQ(sum, 1);
  EXPECT_EQ(problem_of(*document), "file.json: key 'a[1].b' is not a number");
  root["c"]["d"].word();
  EXPECT_EQ(problem_of(*document), "file.json: key 'a[1].b' is not a number") << "the first stays";
}

TEST(JsonView, WhatIsMissingMayBeNullButIsNoNumber) {
  auto document = JsonDocument::parse(R"({"n": -1, "x": null})", "f");
  ASSERT_TRUE(document);
  const JsonView root = document->root();
  EXPECT_EQ(root["x"].number_or_null(), std::nullopt);
  EXPECT_EQ(root["y"].number_or_null(), std::nullopt);
  EXPECT_EQ(problem_of(*document), "none");
  root["c"]["d"].flag();
  EXPECT_EQ(problem_of(*document), "f: key 'c.d' is missing");
}

TEST(JsonView, CountIsNotNegative) {
  auto document = JsonDocument::parse(R"({"n": -1})", "f");
  ASSERT_TRUE(document);
  document->root()["n"].count();
  EXPECT_EQ(problem_of(*document), "f: key 'n' is not a count");
}

}  // namespace
}  // namespace flare::lab
