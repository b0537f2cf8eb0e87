#include <algorithm>

#include "trust/words.h"

namespace flare::trust {
namespace {

constexpr const char* kHead =
    "# Reliability\n\n"
    "Every fault of the catalogue, the tests that produce it, and what the last run gave. Written "
    "by\n"
    "`make reliability` from `tests/trust/catalogue` and from what the tests wrote; not by "
    "hand.\n\n"
    "An entry has survived where all of its tests ran and passed; one that is open, was not run or "
    "was\n"
    "skipped is none of the tried. A test is named as PROGRAM:FILTER: `PROGRAM "
    "--gtest_filter=FILTER`\n"
    "runs it, scripts apart. Where several tests recorded a figure, the least and the most are "
    "shown.\n";

/// Fit for a cell of a table.
std::string cell(const std::string& text) {
  std::string safe;
  for (const char letter : text) {
    if (letter == '|') safe += '\\';
    safe += letter == '\n' ? ' ' : letter;
  }
  return safe;
}

std::string joined(const std::vector<std::string>& parts, const char* between) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : between) + part;
  return text;
}

std::string row(const std::vector<std::string>& cells) {
  return "| " + joined(cells, " | ") + " |\n";
}

std::string head(const std::vector<std::string>& names) {
  return row(names) + "|" + [&] {
    std::string line;
    for (std::size_t i = 0; i < names.size(); ++i) line += "---|";
    return line;
  }() + "\n";
}

std::string closed_by(const EntryResult& result) {
  if (result.verdict == Verdict::kOpen) return "open: " + result.entry.open;
  std::vector<std::string> patterns;
  for (const TestPattern& pattern : result.entry.tests)
    patterns.push_back("`" + pattern.text() + "`");
  return joined(patterns, "<br>");
}

std::string outcome(const EntryResult& result) {
  if (result.verdict == Verdict::kOpen) return "open";
  const std::string tests = std::to_string(result.passed) + "/" + std::to_string(result.ran);
  switch (result.verdict) {
    case Verdict::kSurvived:
      return tests;
    case Verdict::kNotRun:
      return "not run: " + joined(result.not_run, ", ") + (result.ran != 0 ? "; " + tests : "");
    default:
      return std::string(word_of(result.verdict)) + ", " + tests;
  }
}

std::string figures(const EntryResult& result) {
  std::vector<std::string> parts;
  for (const auto& [key, value] : result.figures) {
    std::string words = key;
    std::replace(words.begin(), words.end(), '_', ' ');
    parts.push_back(words + " " + value);
  }
  return joined(parts, ", ");
}

std::string score(const BlockResult& block) {
  return std::to_string(block.survived()) + " / " + std::to_string(block.tried());
}

/// The entries that were not tried, by why.
std::string rest(const BlockResult& block) {
  std::vector<std::string> parts;
  for (const Verdict verdict : {Verdict::kOpen, Verdict::kNotRun, Verdict::kSkipped})
    if (const unsigned count = block.count(verdict); count != 0)
      parts.push_back(std::to_string(count) + " " + std::string(word_of(verdict)));
  return parts.empty() ? "none" : joined(parts, ", ");
}

std::string section(const BlockResult& block) {
  std::string text = "\n## " + block.block.title + "\n\nSurvived / tried: " + score(block) +
                     ". Not tried: " + rest(block) + ". Target: " + block.block.target + ".\n\n" +
                     head({"id", "fault", "expected", "closed by", "passed", "figures"});
  for (const EntryResult& result : block.entries)
    text += row({result.entry.id, cell(result.entry.fault), cell(result.entry.expected),
                 cell(closed_by(result)), outcome(result), cell(figures(result))});
  return text;
}

std::string programs(const Runs& runs) {
  std::string text = "\n## The runs\n\n" + head({"program", "tests", "passed", "skipped", "begun"});
  for (const auto& [program, run] : runs) {
    const auto count = [&tests = run.tests](Status status) {
      return std::to_string(
          std::count_if(tests.begin(), tests.end(),
                        [status](const TestRun& test) { return test.status == status; }));
    };
    text += row({"`" + program + "`", std::to_string(run.tests.size()), count(Status::kPassed),
                 count(Status::kSkipped), run.when});
  }
  return text;
}

}  // namespace

std::string markdown_of(const Report& report) {
  std::string text = kHead;
  text += "\n" + head({"block", "survived / tried", "entries", "not tried", "target"});
  for (const BlockResult& block : report.blocks)
    text += row({block.block.title, score(block), std::to_string(block.entries.size()), rest(block),
                 cell(block.block.target)});
  for (const BlockResult& block : report.blocks) text += section(block);
  return text + programs(report.runs);
}

}  // namespace flare::trust
