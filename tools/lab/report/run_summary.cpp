#include "report/run_summary.h"

#include <fstream>
#include <nlohmann/json.hpp>

namespace flare::lab {
namespace {

std::optional<double> maybe(const nlohmann::json& value) {
  return value.is_null() ? std::nullopt : std::optional<double>(value.get<double>());
}

RunSecond second_of(const nlohmann::json& from) {
  RunSecond second;
  second.rate = from.at("rate");
  second.requests = from.at("requests");
  second.vm = from.at("vm");
  second.serverless = from.at("serverless");
  second.failed = from.at("failed");
  second.p50_ms = maybe(from.at("p50_ms"));
  second.p95_ms = maybe(from.at("p95_ms"));
  return second;
}

RunSummary run_of(const nlohmann::json& from) {
  RunSummary run;
  run.label = from.at("label");
  run.mode = from.at("run").at("mode");
  run.connections = from.at("run").at("connections");
  run.objective_ms = from.at("run").at("objective_ms");
  const auto& total = from.at("total");
  run.requests = total.at("requests");
  run.serverless = total.at("serverless");
  run.serverless_billed_ms = total.at("serverless_billed_ms");
  run.failed = total.at("failed");
  run.over_objective = total.at("over_objective");
  run.lead_in_serverless = from.at("lead_in").at("serverless");
  run.lead_in_failed = from.at("lead_in").at("failed");
  run.peak_p50_ms = maybe(from.at("peak").at("p50_ms"));
  run.peak_p95_ms = maybe(from.at("peak").at("p95_ms"));
  run.seconds_p50_over = from.at("peak").at("seconds_p50_over");
  run.seconds_p95_over = from.at("peak").at("seconds_p95_over");
  run.lateness_p99_ms = from.at("lateness").at("p99_ms");
  run.is_void = from.at("lateness").at("void").get<bool>() || from.at("interrupted").get<bool>();
  for (const auto& second : from.at("seconds")) run.seconds.push_back(second_of(second));
  return run;
}

}  // namespace

Result<RunSummary> read_run(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) return Error("cannot read " + path.string());
  // The library reports by exceptions; they end here.
  try {
    const nlohmann::json json = nlohmann::json::parse(file);
    if (json.at("schema") != "flare-load/1") return Error(path.string() + ": unknown schema");
    return run_of(json);
  } catch (const nlohmann::json::exception& problem) {
    return Error(path.string() + ": " + problem.what());
  }
}

}  // namespace flare::lab
