#include "trust/words.h"

namespace flare::trust {
namespace {

using nlohmann::json;

json json_of(const EntryResult& result) {
  json tests = json::array(), figures = json::object();
  for (const TestPattern& pattern : result.entry.tests) tests.push_back(pattern.text());
  for (const auto& [key, value] : result.figures) figures[key] = value;
  json entry = {{"id", result.entry.id},
                {"fault", result.entry.fault},
                {"expected", result.entry.expected},
                {"verdict", word_of(result.verdict)},
                {"tests", std::move(tests)},
                {"ran", result.ran},
                {"passed", result.passed},
                {"skipped", result.skipped},
                {"failed", result.failed},
                {"not_run", result.not_run},
                {"figures", std::move(figures)}};
  if (!result.entry.open.empty()) entry["open"] = result.entry.open;
  return entry;
}

json json_of(const BlockResult& result) {
  json entries = json::array();
  for (const EntryResult& entry : result.entries) entries.push_back(json_of(entry));
  return {{"block", result.block.name},      {"title", result.block.title},
          {"target", result.block.target},   {"survived", result.survived()},
          {"tried", result.tried()},         {"entries", std::move(entries)},
          {"listed", result.entries.size()}, {"open", result.count(Verdict::kOpen)}};
}

}  // namespace

json json_of(const Report& report) {
  json blocks = json::array(), programs = json::array();
  for (const BlockResult& block : report.blocks) blocks.push_back(json_of(block));
  for (const auto& [program, run] : report.runs)
    programs.push_back({{"program", program}, {"when", run.when}, {"tests", run.tests.size()}});
  return {{"schema", "flare-trust/1"},
          {"holds", report.holds()},
          {"blocks", std::move(blocks)},
          {"programs", std::move(programs)},
          {"drift", report.drift}};
}

}  // namespace flare::trust
