// Which runs are used, which one stands for a cell, and what is said of input that is not whole.
#include "eval/report/results.h"

#include <gtest/gtest.h>

#include <fstream>

#include "made_results.h"

namespace flare::eval {
namespace {

const std::string kCap = "bookinfo.spike.users.new.warm.cap";
const Cell kCell = *parse_cell(kCap);

/// A run whose peak P95 is `peak_ms`.
MadeRun run_of(int repetition, double peak_ms) {
  MadeRun run;
  run.repetition = repetition;
  run.requests = seconds_with(20, {});
  eval::add(run.requests, 9, 20, peak_ms);
  return run;
}

std::string message_of(const Result<Results>& results) {
  return results ? "no error" : results.error().message();
}

TEST(Results, MedianRunIsByPeakP95) {
  const MadeResults made({kCap});
  made.add(run_of(1, 300));
  made.add(run_of(2, 100));
  made.add(run_of(3, 200));
  const auto results = made.read();
  ASSERT_TRUE(results) << message_of(results);
  EXPECT_EQ(results->median(kCell)->repetition, 3);
}

TEST(Results, OfTwoRunsTheWorseStandsForTheCell) {
  const MadeResults made({kCap});
  made.add(run_of(1, 300));
  made.add(run_of(2, 200));
  const auto results = made.read();
  ASSERT_TRUE(results) << message_of(results);
  EXPECT_EQ(results->median(kCell)->repetition, 1);
}

TEST(Results, VoidRunsAreShownAndNotUsed) {
  const MadeResults made({kCap});
  made.add(run_of(1, 100));
  MadeRun bad = run_of(2, 9000);
  bad.is_void = true;
  made.add(bad);
  bad.repetition = 3;
  made.add(bad);
  const auto results = made.read();
  ASSERT_TRUE(results) << message_of(results);
  EXPECT_EQ(results->runs(kCell).size(), 3U);
  EXPECT_EQ(results->valid_runs(kCell).size(), 1U);
  EXPECT_EQ(results->median(kCell)->repetition, 1);
}

TEST(Results, GeneratorThatWasLateMakesARunVoidWhateverItSays) {
  const MadeResults made({kCap});
  const MadeRun run = run_of(1, 100);
  made.add(run);
  std::string load;
  {
    std::ifstream file(made.folder_of(run) / "load.json");
    std::getline(file, load);
  }
  load.replace(load.find("\"void\":false"), 12, "\"void\":true");
  made.overwrite(run, "load.json", load);
  const auto results = made.read();
  ASSERT_TRUE(results) << message_of(results);
  EXPECT_EQ(results->median(kCell), nullptr);
}

TEST(Results, MissingCellsSayWhy) {
  const MadeResults made({kCap, "bookinfo.spike.users.new.warm.formula"});
  MadeRun bad = run_of(1, 100);
  bad.is_void = true;
  made.add(bad);
  const auto results = made.read();
  ASSERT_TRUE(results) << message_of(results);
  EXPECT_EQ(results->why_missing(kCell), kCap + " has no valid run (the machine was <busy>)");
  EXPECT_EQ(results->why_missing(kCell.with_policy("formula")),
            "bookinfo.spike.users.new.warm.formula has no run");
  EXPECT_EQ(results->why_missing(kCell.with_policy("l7")),
            "bookinfo.spike.users.new.warm.l7 is not in this matrix");
  EXPECT_EQ(results->all_cells().size(), 2U);
}

TEST(Results, RunWithoutItsHeadIsNotOverAndNotUsed) {
  const MadeResults made({kCap});
  const MadeRun run = run_of(1, 100);
  made.add(run);
  std::filesystem::remove(made.folder_of(run) / "run.json");
  const auto results = made.read();
  ASSERT_TRUE(results) << message_of(results);
  EXPECT_EQ(results->median(kCell), nullptr);
  EXPECT_EQ(results->runs(kCell).size(), 1U);
}

TEST(Results, RunIsReadWithItsFleetAndDatapath) {
  const MadeResults made({kCap});
  MadeRun run = run_of(1, 100);
  run.over_cap = 12;
  made.add(run);
  const auto results = made.read();
  ASSERT_TRUE(results) << message_of(results);
  const eval::Run& read = *results->median(kCell);
  EXPECT_EQ(read.fleet.first_nodes(), 4) << "of second 0, not of the lead-in";
  EXPECT_EQ(read.fleet.node_seconds, 80);
  EXPECT_EQ(read.over_cap, 12U);
  EXPECT_EQ(read.cold_starts, 3U);
  ASSERT_EQ(read.control.size(), 2U);
  EXPECT_EQ(read.control[0].cap, 48);
  EXPECT_EQ(read.control[0].share, 0);
  EXPECT_EQ(read.control[1].cap, std::nullopt);
  EXPECT_EQ(read.control[1].share, std::nullopt) << "not known yet";
  ASSERT_TRUE(read.lateness);
  EXPECT_EQ(read.lateness->p99_ms, 2.5);
  EXPECT_EQ(read.lateness->max_ms, 7);
}

struct Broken {
  std::string name;
  std::string file;
  std::string text;
  std::vector<std::string> said;  ///< what the error must name
};

class BrokenInput : public testing::TestWithParam<Broken> {};

TEST_P(BrokenInput, IsAnErrorThatNamesFileAndKey) {
  const MadeResults made({kCap});
  const MadeRun run = run_of(1, 100);
  made.add(run);
  made.overwrite(run, GetParam().file, GetParam().text);
  const auto results = made.read();
  ASSERT_FALSE(results);
  for (const std::string& word : GetParam().said) {
    EXPECT_NE(message_of(results).find(word), std::string::npos) << message_of(results);
  }
}

const std::string kFleetWithoutNodes =
    R"({"events": [], "samples": [{"t_s": 0, "pods_ready": 8, "pods_wanted": 8}], "node_seconds": 1})";
const std::string kHead =
    "number,intended_us,sent_us,connected_us,first_byte_us,done_us,status,tier,outcome,connection,"
    "work_us\n";

INSTANTIATE_TEST_SUITE_P(
    Cases, BrokenInput,
    testing::Values(
        Broken{"NotJson", "fleet.json", "{", {"fleet.json", "not JSON"}},
        Broken{"MissingKey", "fleet.json", kFleetWithoutNodes, {"fleet.json", "samples[0].nodes"}},
        Broken{"WrongType",
               "control.jsonl",
               "{\"t_s\": \"x\", \"share\": 0}\n",
               {"control.jsonl, line 1", "t_s", "not a number"}},
        Broken{"NoService", "service.json", "{}", {"service.json", "service.over_cap"}},
        Broken{"OtherSchema", "run.json", "{\"schema\": \"x\"}", {"run.json", "schema"}},
        Broken{"CutLog",
               "requests.csv.zst",
               packed(kHead).substr(0, 30),
               {"requests.csv.zst", "amid a frame"}},
        Broken{"NoCompression", "requests.csv.zst", kHead, {"requests.csv.zst"}},
        Broken{"BadLine",
               "requests.csv.zst",
               packed(kHead + "1,2,x\n"),
               {"requests.csv.zst", "line 2"}},
        Broken{"FewerRequestsThanTold",
               "requests.csv.zst",
               packed(kHead),
               {"requests.csv.zst", "total.requests"}}),
    [](const auto& which) { return which.param.name; });

TEST(Results, RunUnderAnotherNameIsAnError) {
  const MadeResults made({kCap});
  made.add(run_of(1, 100));
  std::filesystem::rename(made.root() / "runs" / kCap,
                          made.root() / "runs" / "bookinfo.spike.open.new.warm.cap");
  EXPECT_NE(message_of(made.read()).find("says that it is " + kCap), std::string::npos);
}

TEST(Results, FolderWithoutManifestIsAnError) {
  const MadeResults made({kCap});
  std::filesystem::remove(made.root() / "manifest.json");
  EXPECT_NE(message_of(made.read()).find("manifest.json"), std::string::npos);
}

}  // namespace
}  // namespace flare::eval
