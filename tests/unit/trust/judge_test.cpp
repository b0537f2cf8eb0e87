// What the results say of the catalogue's entries.
#include "trust/judge.h"

#include <gtest/gtest.h>

namespace flare::trust {
namespace {

struct Fit {
  const char* pattern;
  const char* name;
  bool fits;
};

TEST(Pattern, FitsAsInGoogleTest) {
  for (const Fit& each :
       {Fit{"A.B", "A.B", true}, Fit{"A.B", "A.BC", false}, Fit{"A.*", "A.B/c", true},
        Fit{"*", "", true}, Fit{"", "", true}, Fit{"", "A", false}, Fit{"?", "A", true},
        Fit{"?", "", false}, Fit{"*/V4*", "Paths/Spill.Follows/V4Tc", true},
        Fit{"*/V4*", "Paths/Spill.Follows/V6Tc", false}, Fit{"*ab*ab", "abxababab", true},
        Fit{"a*b*c", "abbc", true}, Fit{"a*b*c", "abb", false}, Fit{"A.B**", "A.B", true}})
    EXPECT_EQ(fits(each.pattern, each.name), each.fits) << each.pattern << " " << each.name;
}

TestRun run_of(const std::string& name, Status status = Status::kPassed,
               std::map<std::string, std::string> figures = {}) {
  return {name, status, std::move(figures)};
}

Entry entry_of(const std::string& id, std::vector<std::string> filters,
               std::vector<Figure> figures = {}) {
  Entry entry;
  entry.id = id;
  for (std::string& filter : filters) {
    const auto colon = filter.find(':');
    entry.tests.push_back({filter.substr(0, colon), filter.substr(colon + 1), 7});
  }
  entry.figures = std::move(figures);
  return entry;
}

/// Judges one entry by the runs of the program `bpf`.
Report judged(const Entry& entry, std::vector<TestRun> tests) {
  Block block;
  block.file = "packets.yaml";
  block.entries = {entry};
  return judge({block}, {{"bpf", {"bpf", "", std::move(tests)}}});
}

TEST(Entry, SurvivesWhereAllOfItsTestsPassed) {
  const Report report =
      judged(entry_of("P1", {"bpf:T.*", "bpf:T.A"}), {run_of("T.A"), run_of("T.B"), run_of("U.A")});
  const EntryResult& entry = report.blocks[0].entries[0];
  EXPECT_EQ(entry.verdict, Verdict::kSurvived);
  EXPECT_EQ(entry.ran, 2U) << "a test counts once, whatever fits it";
  EXPECT_EQ(entry.passed, 2U);
  EXPECT_EQ(report.blocks[0].survived(), 1U);
  EXPECT_EQ(report.blocks[0].tried(), 1U);
  EXPECT_TRUE(report.holds());
}

TEST(Entry, FailsWithOneOfItsTests) {
  const Report report =
      judged(entry_of("P1", {"bpf:T.*"}), {run_of("T.A"), run_of("T.B", Status::kFailed)});
  const EntryResult& entry = report.blocks[0].entries[0];
  EXPECT_EQ(entry.verdict, Verdict::kFailed);
  EXPECT_EQ(entry.failed, std::vector<std::string>{"bpf:T.B"});
  EXPECT_EQ(report.blocks[0].survived(), 0U);
  EXPECT_EQ(report.blocks[0].tried(), 1U);
  EXPECT_FALSE(report.holds());
}

TEST(Entry, IsNotTriedWhereATestWasSkipped) {
  const Report report =
      judged(entry_of("P1", {"bpf:T.*"}), {run_of("T.A"), run_of("T.B", Status::kSkipped)});
  EXPECT_EQ(report.blocks[0].entries[0].verdict, Verdict::kSkipped);
  EXPECT_EQ(report.blocks[0].tried(), 0U);
}

TEST(Entry, IsNotTriedWhereAProgramWasNotRun) {
  const Report report = judged(entry_of("P1", {"bpf:T.A", "flare-soak:*"}), {run_of("T.A")});
  const EntryResult& entry = report.blocks[0].entries[0];
  EXPECT_EQ(entry.verdict, Verdict::kNotRun);
  EXPECT_EQ(entry.not_run, std::vector<std::string>{"flare-soak"});
  EXPECT_EQ(report.blocks[0].survived(), 0U);
  EXPECT_TRUE(report.holds()) << "nothing failed";
}

TEST(Entry, FailsWhateverElseWasNotRun) {
  const Report report =
      judged(entry_of("P1", {"bpf:T.A", "flare-soak:*"}), {run_of("T.A", Status::kFailed)});
  EXPECT_EQ(report.blocks[0].entries[0].verdict, Verdict::kFailed);
}

TEST(Entry, HasDriftedWhereAPatternFitsNoTest) {
  const Report report = judged(entry_of("P1", {"bpf:T.A", "bpf:Gone.*"}), {run_of("T.A")});
  EXPECT_EQ(report.blocks[0].entries[0].verdict, Verdict::kFailed);
  EXPECT_EQ(report.drift, std::vector<std::string>{"packets.yaml:7: P1: no test fits bpf:Gone.*"});
  EXPECT_FALSE(report.holds());
}

TEST(Entry, ThatIsOpenIsNotTried) {
  Entry open;
  open.open = "later";
  const Report report = judged(open, {});
  EXPECT_EQ(report.blocks[0].entries[0].verdict, Verdict::kOpen);
  EXPECT_EQ(report.blocks[0].tried(), 0U);
  EXPECT_TRUE(report.holds());
}

using Figures = std::vector<std::pair<std::string, std::string>>;

TEST(Figures, AreARangeASumOrWords) {
  const Report report = judged(
      entry_of("P1", {"bpf:T.*"},
               {{"ms", false, 1}, {"n", true, 2}, {"lost", false, 3}, {"who", false, 4}}),
      {run_of("T.A", Status::kPassed, {{"ms", "9.5"}, {"n", "30"}, {"lost", "0"}, {"who", "b"}}),
       run_of("T.B", Status::kPassed, {{"ms", "12"}, {"n", "12"}, {"lost", "0"}, {"who", "a"}}),
       run_of("T.C", Status::kPassed, {{"who", "a"}})});
  EXPECT_EQ(report.blocks[0].entries[0].figures,
            (Figures{{"ms", "9.5 to 12"}, {"n", "42"}, {"lost", "0"}, {"who", "a, b"}}));
  EXPECT_TRUE(report.holds());
}

TEST(Figures, HaveDriftedWhereNoTestRecordsThem) {
  const Report report = judged(entry_of("P1", {"bpf:T.*"}, {{"lost", false, 9}}), {run_of("T.A")});
  EXPECT_EQ(report.drift,
            std::vector<std::string>{"packets.yaml:9: P1: no test records the figure lost"});
  EXPECT_FALSE(report.holds());
}

}  // namespace
}  // namespace flare::trust
