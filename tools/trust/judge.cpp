#include "trust/judge.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>

namespace flare::trust {
namespace {

std::optional<double> number_of(const std::string& text) {
  double value = 0;
  const auto [stop, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc{} || stop != text.data() + text.size()) return std::nullopt;
  return value;
}

/// As briefly as it can be said without loss.
std::string text_of(double value) {
  char buffer[32];
  const auto [stop, fault] = std::to_chars(std::begin(buffer), std::end(buffer), value);
  return fault == std::errc{} ? std::string(buffer, stop) : "?";
}

/// What is shown of the values that several tests recorded: their sum, their range, or all words.
std::string summary_of(const std::vector<std::string>& values, bool sum) {
  double least = 0, most = 0, total = 0;
  bool first = true;
  for (const std::string& value : values) {
    const auto number = number_of(value);
    if (!number) {
      std::string words;
      for (const std::string& word : std::set<std::string>(values.begin(), values.end()))
        words += (words.empty() ? "" : ", ") + word;
      return words;
    }
    least = first ? *number : std::min(least, *number);
    most = first ? *number : std::max(most, *number);
    total += *number;
    first = false;
  }
  if (sum) return text_of(total);
  return least == most ? text_of(least) : text_of(least) + " to " + text_of(most);
}

/// One entry of a block: finds its tests among the runs and counts what became of them.
class EntryJudge {
 public:
  EntryJudge(const Block& block, const Entry& entry, const Runs& runs,
             std::vector<std::string>& drift)
      : block_(block), runs_(runs), drift_(drift) {
    result_.entry = entry;
  }

  EntryResult judge() && {
    for (const TestPattern& pattern : result_.entry.tests) find(pattern);
    for (const auto& [name, test] : tests_) count(name, *test);
    result_.verdict = verdict();
    for (const Figure& figure : result_.entry.figures) collect(figure);
    return std::move(result_);
  }

 private:
  void find(const TestPattern& pattern) {
    const auto run = runs_.find(pattern.program);
    if (run == runs_.end()) {
      if (std::find(result_.not_run.begin(), result_.not_run.end(), pattern.program) ==
          result_.not_run.end())
        result_.not_run.push_back(pattern.program);
      return;
    }
    bool found = false;
    for (const TestRun& test : run->second.tests) {
      if (!fits(pattern.filter, test.name)) continue;
      tests_.emplace(pattern.program + ":" + test.name, &test);
      found = true;
    }
    if (found) return;
    drifted(pattern.line, "no test fits " + pattern.text());
    drifted_ = true;
  }

  void count(const std::string& name, const TestRun& test) {
    ++result_.ran;
    switch (test.status) {
      case Status::kPassed:
        ++result_.passed;
        return;
      case Status::kSkipped:
        ++result_.skipped;
        return;
      case Status::kFailed:
        result_.failed.push_back(name);
    }
  }

  Verdict verdict() const {
    if (!result_.entry.open.empty()) return Verdict::kOpen;
    if (!result_.failed.empty() || drifted_) return Verdict::kFailed;
    if (!result_.not_run.empty()) return Verdict::kNotRun;
    return result_.skipped != 0 ? Verdict::kSkipped : Verdict::kSurvived;
  }

  void collect(const Figure& figure) {
    std::vector<std::string> values;
    for (const auto& [name, test] : tests_) {
      const auto value = test->figures.find(figure.key);
      if (value != test->figures.end()) values.push_back(value->second);
    }
    if (!values.empty())
      result_.figures.emplace_back(figure.key, summary_of(values, figure.sum));
    else if (result_.verdict == Verdict::kSurvived)
      drifted(figure.line, "no test records the figure " + figure.key);
  }

  void drifted(int line, const std::string& what) {
    drift_.push_back(block_.file + ":" + std::to_string(line) + ": " + result_.entry.id + ": " +
                     what);
  }

  const Block& block_;
  const Runs& runs_;
  std::vector<std::string>& drift_;
  EntryResult result_;
  std::map<std::string, const TestRun*> tests_;  ///< each once, whatever patterns fit it
  bool drifted_ = false;
};

}  // namespace

bool fits(std::string_view pattern, std::string_view name) {
  // greedy with one way back: to the last `*`, which then takes a letter more
  std::size_t at = 0, in = 0, star = std::string_view::npos, resume = 0;
  while (in < name.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      resume = in;
    } else if (at < pattern.size() && (pattern[at] == '?' || pattern[at] == name[in])) {
      ++at;
      ++in;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      in = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', at) == std::string_view::npos;
}

std::string_view word_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kSurvived:
      return "survived";
    case Verdict::kFailed:
      return "FAILED";
    case Verdict::kSkipped:
      return "skipped";
    case Verdict::kNotRun:
      return "not run";
    case Verdict::kOpen:
      break;
  }
  return "open";
}

unsigned BlockResult::count(Verdict verdict) const {
  return static_cast<unsigned>(
      std::count_if(entries.begin(), entries.end(),
                    [verdict](const EntryResult& entry) { return entry.verdict == verdict; }));
}

bool Report::holds() const {
  return drift.empty() && std::none_of(blocks.begin(), blocks.end(), [](const BlockResult& block) {
           return block.count(Verdict::kFailed) != 0;
         });
}

Report judge(const std::vector<Block>& catalogue, Runs runs) {
  Report report;
  for (const Block& block : catalogue) {
    BlockResult result{block, {}};
    for (const Entry& entry : block.entries)
      result.entries.push_back(EntryJudge(block, entry, runs, report.drift).judge());
    report.blocks.push_back(std::move(result));
  }
  report.runs = std::move(runs);
  return report;
}

}  // namespace flare::trust
