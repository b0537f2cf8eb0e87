// Reading what test programs and scripts wrote.
#include "trust/results.h"

#include <gtest/gtest.h>

#include <fstream>

namespace flare::trust {
namespace {

constexpr const char* kGtest = R"({"tests": 4, "timestamp": "2026-01-02T03:04:05Z", "testsuites": [
  {"name": "Paths/Spill", "testsuite": [
    {"name": "Follows/V4", "status": "RUN", "result": "COMPLETED", "time": "1s", "lost": "0"},
    {"name": "Follows/V6", "status": "RUN", "result": "COMPLETED",
     "failures": [{"failure": "no", "type": ""}]},
    {"name": "Skips", "status": "RUN", "result": "SKIPPED"},
    {"name": "Off", "status": "NOTRUN", "result": "SUPPRESSED"}]}]})";

TEST(GtestRun, IsReadWithStatusAndFigures) {
  const auto run = parse_gtest(kGtest, "flare_e2e_tests", "file.json");
  ASSERT_TRUE(run) << run.error().message();
  EXPECT_EQ(run->program, "flare_e2e_tests");
  EXPECT_EQ(run->when, "2026-01-02T03:04:05Z");
  ASSERT_EQ(run->tests.size(), 3U) << "a test that is off was not run";
  EXPECT_EQ(run->tests[0].name, "Paths/Spill.Follows/V4");
  EXPECT_EQ(run->tests[0].status, Status::kPassed);
  EXPECT_EQ(run->tests[0].figures, (std::map<std::string, std::string>{{"lost", "0"}}));
  EXPECT_EQ(run->tests[1].status, Status::kFailed);
  EXPECT_EQ(run->tests[2].status, Status::kSkipped);
}

TEST(GtestRun, IsRefusedWhereItIsNone) {
  for (const char* text : {"", "{", "{}", R"({"testsuites": [{"name": "S"}]})"}) {
    const auto run = parse_gtest(text, "p", "file.json");
    ASSERT_FALSE(run) << text;
    EXPECT_TRUE(run.error().message().starts_with("file.json: not a run of GoogleTest")) << text;
  }
}

TEST(ScriptRun, IsReadWithStatusAndFigures) {
  const auto run = parse_results(R"({"program": "flare-soak", "results": [
    {"name": "soak.no_loss", "status": "passed", "figures": {"lost": 0, "kernel": "6.18"}},
    {"name": "soak.memory", "status": "failed"}]})",
                                 "soak.json");
  ASSERT_TRUE(run) << run.error().message();
  EXPECT_EQ(run->program, "flare-soak");
  ASSERT_EQ(run->tests.size(), 2U);
  EXPECT_EQ(run->tests[0].figures,
            (std::map<std::string, std::string>{{"lost", "0"}, {"kernel", "6.18"}}));
  EXPECT_EQ(run->tests[1].status, Status::kFailed);
}

TEST(ScriptRun, IsRefusedWithAnotherStatus) {
  const auto run =
      parse_results(R"({"program": "p", "results": [{"name": "n", "status": "ok"}]})", "p.json");
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().message(),
            "p.json: status: found \"ok\"; accepted: passed, failed, skipped");
}

class RunFolders : public testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/flare-runs-XXXXXX";
    ASSERT_NE(::mkdtemp(path), nullptr);
    folder_ = path;
    std::filesystem::create_directories(folder_ / "tests");
    std::filesystem::create_directories(folder_ / "results");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  Result<Runs> read() const { return read_runs(folder_ / "tests", folder_ / "results"); }

  std::filesystem::path folder_;
};

TEST_F(RunFolders, AreJoined) {
  std::ofstream(folder_ / "tests/flare_e2e_tests.json") << kGtest;
  std::ofstream(folder_ / "results/flare-soak.json") << R"({"program": "soak", "results": []})";
  std::ofstream(folder_ / "results/notes.txt") << "no JSON";
  const auto runs = read();
  ASSERT_TRUE(runs) << runs.error().message();
  EXPECT_EQ(runs->size(), 2U);
  EXPECT_EQ(runs->at("flare_e2e_tests").tests.size(), 3U);
  EXPECT_TRUE(runs->contains("soak"));
}

TEST_F(RunFolders, MayNotHaveAProgramTwice) {
  std::ofstream(folder_ / "tests/soak.json") << kGtest;
  std::ofstream(folder_ / "results/other.json") << R"({"program": "soak", "results": []})";
  const auto runs = read();
  ASSERT_FALSE(runs);
  EXPECT_EQ(runs.error().message(),
            (folder_ / "results/other.json").string() + ": a second run of soak");
}

TEST_F(RunFolders, MayNotBothBeEmpty) { EXPECT_FALSE(read()); }

}  // namespace
}  // namespace flare::trust
