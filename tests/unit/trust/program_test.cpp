// The program: what it writes, and how it ends. `make reliability` fails by that.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace flare::trust {
namespace {

class Program : public testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/flare-trust-XXXXXX";
    ASSERT_NE(::mkdtemp(path), nullptr);
    folder_ = path;
    for (const char* each : {"catalogue", "tests", "results"})
      std::filesystem::create_directory(folder_ / each);
    std::ofstream(folder_ / "catalogue/load.yaml")
        << "block: load\ntitle: L\ntarget: all\nentries:\n"
           "  - {id: L1, fault: f, expected: e, tests: [\"p:one.*\"]}\n";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void put_result(const std::string& name, const std::string& status) const {
    std::ofstream(folder_ / "results/p.json") << R"({"program": "p", "results": [{"name": ")"
                                              << name << R"(", "status": ")" << status << "\"}]}";
  }
  /// Its exit code.
  int run() const {
    const std::string at = folder_.string();
    const int status =
        std::system((std::string(FLARE_TRUST_REPORT) + " --catalogue " + at +
                     "/catalogue --tests " + at + "/tests --results " + at + "/results --json " +
                     at + "/report.json --markdown " + at + "/report.md >" + at + "/said 2>&1")
                        .c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::string text_of(const char* name) const {
    std::ifstream file(folder_ / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::filesystem::path folder_;
};

TEST_F(Program, EndsWellWhereAllSurvived) {
  put_result("one.a", "passed");
  EXPECT_EQ(run(), 0) << text_of("said");
  EXPECT_EQ(nlohmann::json::parse(text_of("report.json"))["holds"], true);
  EXPECT_NE(text_of("report.md").find("| L1 |"), std::string::npos);
}

TEST_F(Program, FailsWithATestThatFailedAndWritesAllTheSame) {
  put_result("one.a", "failed");
  EXPECT_EQ(run(), 1);
  EXPECT_NE(text_of("said").find("L1 failed: p:one.a"), std::string::npos) << text_of("said");
  EXPECT_EQ(nlohmann::json::parse(text_of("report.json"))["holds"], false);
}

TEST_F(Program, FailsWithAPatternThatFitsNoTest) {
  put_result("other.a", "passed");
  EXPECT_EQ(run(), 1);
  EXPECT_NE(text_of("said").find("no test fits p:one.*"), std::string::npos) << text_of("said");
}

TEST_F(Program, FailsWithoutResults) { EXPECT_EQ(run(), 1); }

}  // namespace
}  // namespace flare::trust
