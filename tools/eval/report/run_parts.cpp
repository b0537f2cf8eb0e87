#include "eval/report/run_parts.h"

#include <fstream>
#include <string>

#include "report/json_view.h"

namespace flare::eval {
namespace {

using lab::JsonDocument;
using lab::JsonView;

Result<void> ok_unless(const std::optional<Error>& problem) {
  if (problem) return *problem;
  return {};
}

}  // namespace

Result<void> read_fleet(Fleet& fleet, const std::filesystem::path& path) {
  auto document = JsonDocument::read(path);
  if (!document) return document.error();
  const JsonView root = document->root();
  for (const JsonView& event : root["events"].items()) {
    fleet.events.push_back({event["t_s"].number(), event["event"].word()});
  }
  for (const JsonView& sample : root["samples"].items()) {
    fleet.samples.push_back({sample["t_s"].number(), sample["pods_ready"].number(),
                             sample["pods_wanted"].number(), sample["nodes"].number()});
  }
  fleet.node_seconds = root["node_seconds"].number();
  if (const auto problem = document->problem()) return *problem;
  if (!fleet.first_nodes()) return Error(path.string() + ": key 'samples' has none from second 0");
  return {};
}

Result<void> read_control(std::vector<ControlSample>& control, const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) return {};
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.empty()) continue;
    auto document = JsonDocument::parse(line, path.string() + ", line " + std::to_string(number));
    if (!document) return document.error();
    const JsonView root = document->root();
    control.push_back(
        {root["t_s"].number(), root["share"].number_or_null(), root["cap"].number_or_null()});
    if (const auto problem = document->problem()) return *problem;
  }
  return {};
}

Result<void> read_service(std::optional<std::uint64_t>& over_cap,
                          const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) return {};
  auto document = JsonDocument::read(path);
  if (!document) return document.error();
  over_cap = document->root()["service"]["over_cap"].count();
  return ok_unless(document->problem());
}

Result<void> read_serverless(std::optional<std::uint64_t>& cold_starts,
                             const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) return {};
  auto document = JsonDocument::read(path);
  if (!document) return document.error();
  const JsonView starts = document->root()["cold_starts"];
  if (!starts.is_null()) cold_starts = starts.count();
  return ok_unless(document->problem());
}

}  // namespace flare::eval
