// flare_vm_tests: GoogleTest, and a line for each test, which scripts/vmtest.sh reads:
//
//   CASE passed|failed NAME [FIGURE=VALUE]...      what the test recorded
//
// It sets the clock and switches CPUs off, and so runs nowhere but in a guest of ours.
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

namespace {

class CaseLines : public testing::EmptyTestEventListener {
  void OnTestEnd(const testing::TestInfo& info) override {
    std::string suite = info.test_suite_name();
    suite.erase(0, suite.find('/') + 1);  // without the instantiation's name
    const testing::TestResult& result = *info.result();
    std::printf("CASE %s %s.%s", result.Passed() ? "passed" : "failed", suite.c_str(), info.name());
    for (int i = 0; i < result.test_property_count(); ++i)
      std::printf(" %s=%s", result.GetTestProperty(i).key(), result.GetTestProperty(i).value());
    std::puts("");
    std::fflush(stdout);
  }
};

bool is_guest() {
  std::ifstream file("/proc/cmdline");
  const std::string words{std::istreambuf_iterator<char>(file), {}};
  return words.find("flare_guest") != std::string::npos;
}

}  // namespace

int main(int count, char** words) {
  if (!is_guest()) {
    std::fputs("flare_vm_tests sets the clock: it runs in the guests of `make vmtest` alone\n",
               stderr);
    return 2;
  }
  testing::InitGoogleTest(&count, words);
  testing::UnitTest::GetInstance()->listeners().Append(new CaseLines);  // which owns it
  return RUN_ALL_TESTS();
}
