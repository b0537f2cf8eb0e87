// The page is well-formed and complete; text and JSON have the same tables.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "eval/report/report.h"
#include "made_results.h"

namespace flare::eval {
namespace {

const std::string kGroup = "bookinfo.spike.users.new.warm.";

/// Two policies, of which one has a request that was never answered, one void run, one missing
/// cell.
Report made_report(std::optional<Simulation> simulation = std::nullopt) {
  const MadeResults made({kGroup + "vm-only", kGroup + "cap", kGroup + "formula"});
  MadeRun cap;
  cap.requests = seconds_with(20, {});
  eval::add(cap.requests, 8, 3, 90, lab::Tier::kServerless, 70'000);
  made.add(cap);
  cap.repetition = 2;
  cap.is_void = true;
  made.add(cap);
  MadeRun base;
  base.cell = kGroup + "vm-only";
  base.requests = seconds_with(20, {7, 8});
  for (int i = 0; i < 5; ++i) base.requests.push_back(failed(9.5));
  base.over_cap = std::nullopt;
  made.add(base);
  auto results = made.read();
  EXPECT_TRUE(results) << results.error().message();
  return make_report(*std::move(results), std::move(simulation));
}

/// What xmllint, which parses strictly, has to say: 0 is well-formed.
int xmllint(const std::string& page) {
  std::string name = std::filesystem::temp_directory_path() / "flare-eval-page-XXXXXX";
  const int descriptor = mkstemp(name.data());
  EXPECT_GE(descriptor, 0);
  close(descriptor);
  write_text(name, page);
  const int status = std::system(("xmllint --noout --nonet " + name).c_str());
  std::filesystem::remove(name);
  return WEXITSTATUS(status);
}

std::size_t count_of(const std::string& text, const std::string& what) {
  std::size_t count = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) {
    ++count;
  }
  return count;
}

TEST(Page, IsWellFormed) {
  const std::string page = html_of(made_report());
  EXPECT_EQ(xmllint(page), 0);
  EXPECT_NE(xmllint(page.substr(0, page.size() - 10)), 0) << "the check can fail";
}

TEST(Page, NeedsNothingFromElsewhereAndRunsNothing) {
  const std::string page = html_of(made_report());
  for (const std::string word : {"<script", "src=", "url(", "@import", "<link"}) {
    EXPECT_EQ(page.find(word), std::string::npos) << word;
  }
  EXPECT_EQ(count_of(page, "http"), count_of(page, "http://www.w3.org/")) << "names of XML only";
}

TEST(Page, DrawsEachPolicyThatHasRunsInEachPlot) {
  const Report report = made_report();
  ASSERT_EQ(report.sections.size(), 1U);
  const std::vector<Plot>& plots = report.sections[0].plots;
  EXPECT_EQ(plots.size(), 7U);
  for (const Plot& plot : plots) {
    EXPECT_FALSE(plot.caption.empty()) << plot.title;
    EXPECT_NE(plot.svg.find(">VM-only<"), std::string::npos) << plot.title;
    EXPECT_NE(plot.svg.find(">Cap (ours)<"), std::string::npos) << plot.title;
    EXPECT_EQ(plot.svg.find(">L4 formula<"), std::string::npos) << plot.title;
    EXPECT_EQ(plot.svg.find("nan"), std::string::npos) << plot.title;
    EXPECT_EQ(plot.svg.find("inf"), std::string::npos) << plot.title;
  }
}

TEST(Page, MarksWhatWasNeverAnswered) {
  const Report report = made_report();
  for (const Plot& plot : report.sections.at(0).plots) {
    if (plot.title.starts_with("Latency")) {
      // The legend's, and second 9 of VM-only.
      EXPECT_EQ(count_of(plot.svg, "fill='var(--failed)'"), 2U);
    }
  }
}

TEST(Tables, GroupWithoutVmOnlyIsComparedWithTheWarmSpikes) {
  const MadeResults made({});
  MadeRun base;
  base.cell = kGroup + "vm-only";
  base.requests = seconds_with(20, {});
  base.nodes = 4;
  made.add(base);
  for (const std::string group : {"spike.users.new.cold.", "believed-20-high.users.new.warm."}) {
    MadeRun run = base;
    run.cell = "bookinfo." + group + "cap";
    run.nodes = 5;  // a quarter more than the base, and nothing spilled
    made.add(run);
  }
  auto results = made.read();
  ASSERT_TRUE(results) << results.error().message();
  const Report report = make_report(*std::move(results), std::nullopt);
  ASSERT_EQ(report.sections.size(), 3U);
  for (const std::size_t section : {1U, 2U}) {
    const Table& cost = report.sections[section].tables.at(1);
    ASSERT_EQ(cost.rows.size(), 1U);
    EXPECT_EQ(cost.rows[0][cost.rows[0].size() - 2], "+25.0 %") << cost.id;
  }
}

TEST(Page, SaysWhatIsVoidAndWhatIsMissing) {
  for (const std::string& text : {text_of(made_report()), html_of(made_report())}) {
    EXPECT_NE(text.find("VOID: the machine was"), std::string::npos);
    EXPECT_NE(text.find(kGroup + "formula has no run"), std::string::npos);
    EXPECT_NE(text.find("3 runs, of which 1 are void"), std::string::npos);
  }
  EXPECT_NE(html_of(made_report()).find("&lt;busy&gt;"), std::string::npos);
}

TEST(Json, HasAllTablesOfTheTextAndFiguresAsNumbers) {
  const Report report = made_report();
  const auto json = nlohmann::json::parse(json_of(report));
  EXPECT_EQ(json["schema"], "flare-eval-report/1");
  EXPECT_EQ(json["targets"].size(), 11U);
  const std::string text = text_of(report);
  for (const auto& table : json["tables"]) {
    if (table["rows"].empty()) continue;
    EXPECT_NE(text.find("# " + table["title"].get<std::string>()), std::string::npos);
  }
  const auto& base = json["cells"][kGroup + "vm-only"];
  EXPECT_EQ(base["median_repetition"], 1);
  EXPECT_EQ(base["runs"][0]["latency"]["peak_p95_ms"], nullptr) << "infinite";
  EXPECT_EQ(base["runs"][0]["latency"]["p95_over"]["seconds"], 3);
  const auto& cap = json["cells"][kGroup + "cap"];
  EXPECT_EQ(cap["runs"][0]["serverless"]["requests"], 3);
  EXPECT_EQ(cap["runs"][1]["valid"], false);
  EXPECT_EQ(cap["runs"][1].count("latency"), 0U) << "a void run has no figures";
  EXPECT_EQ(json["cells"][kGroup + "formula"]["median_repetition"], nullptr);
}

Result<Simulation> simulation_of(const std::string& text) {
  std::string name = std::filesystem::temp_directory_path() / "flare-eval-sim-XXXXXX";
  close(mkstemp(name.data()));
  write_text(name, text);
  auto simulation = read_simulation(name);
  std::filesystem::remove(name);
  return simulation;
}

TEST(Simulation, TablesAreShownAsTheyAre) {
  auto simulation = simulation_of(
      R"({"schema": "flare-sim/1", "seeds": [1, 2], "commit": "c0", "tables": [{"id": "nodes",
      "title": "Nodes & <more>", "note": "Medians.", "columns": ["policy", "nodes"],
      "rows": [["cap", 4.5], ["l7", null]]}]})");
  ASSERT_TRUE(simulation) << simulation.error().message();
  const Report report = made_report(*std::move(simulation));
  EXPECT_NE(text_of(report).find("| cap | 4.5 |\n| l7 | - |"), std::string::npos);
  const std::string page = html_of(report);
  EXPECT_NE(page.find("Nodes &amp; &lt;more&gt;"), std::string::npos);
  EXPECT_EQ(xmllint(page), 0);
}

TEST(Simulation, RowOfAnotherLengthIsAnErrorWithItsPlace) {
  const auto simulation = simulation_of(
      R"({"schema": "flare-sim/1", "seeds": 1, "commit": "c0", "tables": [{"id": "nodes",
      "title": "t", "note": "", "columns": ["a", "b"], "rows": [["x", 1], ["y"]]}]})");
  ASSERT_FALSE(simulation);
  EXPECT_NE(simulation.error().message().find("tables[0].rows[1]"), std::string::npos)
      << simulation.error().message();
}

}  // namespace
}  // namespace flare::eval
