// The soak in short: what it needs longer for than this takes (memory, descriptors) is `make soak`.
#include <gtest/gtest.h>

#include "soak/soak.h"
#include "soak/verdict.h"

namespace flare::test {
namespace {

TEST(Soak, AShortOneLosesNothingToItsFaults) {
  SoakPlan plan;
  plan.seconds = 20;
  plan.every = 2;
  plan.rate = 50'000;
  const SoakResult result =
      run_soak(plan, [](const std::string& line) { std::puts(line.c_str()); });
  for (const SoakRule& rule : judge_soak(result)) {
    const bool takes_long = rule.name == "soak.memory" || rule.name == "soak.descriptors" ||
                            rule.name == "soak.maps" || rule.name == "soak.map_bytes";
    EXPECT_TRUE(rule.holds || takes_long) << rule.what << " " << result.failure;
  }
  std::uint64_t faults = 0;
  WindowCount all = result.calm;
  for (const FaultRow& row : result.faults) {
    faults += row.times;
    if (row.may_lose.empty()) all += row.count;
  }
  EXPECT_GE(faults, 4U);
  RecordProperty("faults", std::to_string(faults));
  RecordProperty("packets", std::to_string(all.sent));
  RecordProperty("lost", std::to_string(all.lost()));
}

}  // namespace
}  // namespace flare::test
