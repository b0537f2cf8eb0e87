#include "trust/results.h"

#include <nlohmann/json.hpp>

#include "trust/catalogue.h"

namespace flare::trust {
namespace {

using nlohmann::json;

/// GoogleTest writes what RecordProperty() was given among its own keys, always as text.
bool is_own_key(const std::string& key) {
  static const char* const kKeys[] = {"name",       "file",      "line",    "value_param",
                                      "type_param", "status",    "time",    "timestamp",
                                      "result",     "classname", "failures"};
  for (const char* own : kKeys)
    if (key == own) return true;
  return false;
}

std::string text_of(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

/// `failures` lists what failed; a test that was skipped after a failure has failed.
Status status_of(const json& test) {
  if (test.contains("failures")) return Status::kFailed;
  return test.at("result") == "SKIPPED" ? Status::kSkipped : Status::kPassed;
}

TestRun gtest_run(const std::string& suite, const json& test) {
  TestRun run;
  run.name = suite + "." + test.at("name").get<std::string>();
  run.status = status_of(test);
  for (const auto& [key, value] : test.items())
    if (!is_own_key(key)) run.figures.emplace(key, text_of(value));
  return run;
}

Result<Status> status_word(const std::string& word, const std::string& file) {
  if (word == "passed") return Status::kPassed;
  if (word == "failed") return Status::kFailed;
  if (word == "skipped") return Status::kSkipped;
  return Error(file + ": status: found \"" + word + "\"; accepted: passed, failed, skipped");
}

/// Adds what `parse` makes of each JSON file in `directory`.
template <typename Parse>
Result<void> add_runs(const std::filesystem::path& directory, Runs& runs, Parse parse) {
  for (const auto& path : files_of(directory, ".json")) {
    const auto text = read_file(path);
    if (!text) return text.error();
    auto run = parse(*text, path);
    if (!run) return run.error();
    const std::string program = run->program;
    if (!runs.emplace(program, *std::move(run)).second)
      return Error(path.string() + ": a second run of " + program);
  }
  return {};
}

}  // namespace

Result<ProgramRun> parse_gtest(std::string_view text, const std::string& program,
                               const std::string& file) try {
  const json root = json::parse(text);
  ProgramRun run{program, root.value("timestamp", ""), {}};
  for (const json& suite : root.at("testsuites"))
    for (const json& test : suite.at("testsuite"))
      if (test.at("status") == "RUN")
        run.tests.push_back(gtest_run(suite.at("name").get<std::string>(), test));
  return run;
} catch (const json::exception& fault) {
  return Error(file + ": not a run of GoogleTest: " + fault.what());
}

Result<ProgramRun> parse_results(std::string_view text, const std::string& file) try {
  const json root = json::parse(text);
  ProgramRun run{root.at("program").get<std::string>(), root.value("timestamp", ""), {}};
  for (const json& result : root.at("results")) {
    const auto status = status_word(result.at("status").get<std::string>(), file);
    if (!status) return status.error();
    TestRun test{result.at("name").get<std::string>(), *status, {}};
    const json figures = result.value("figures", json::object());
    for (const auto& [key, value] : figures.items()) test.figures.emplace(key, text_of(value));
    run.tests.push_back(std::move(test));
  }
  return run;
} catch (const json::exception& fault) {
  return Error(file + ": not a list of results: " + fault.what());
}

Result<Runs> read_runs(const std::filesystem::path& tests, const std::filesystem::path& results) {
  Runs runs;
  auto added = add_runs(tests, runs, [](const std::string& text, const auto& path) {
    return parse_gtest(text, path.stem().string(), path.string());
  });
  if (!added) return added.error();
  added = add_runs(results, runs, [](const std::string& text, const auto& path) {
    return parse_results(text, path.string());
  });
  if (!added) return added.error();
  if (runs.empty())
    return Error("no run in " + tests.string() + " or " + results.string() + ": make test first");
  return runs;
}

}  // namespace flare::trust
