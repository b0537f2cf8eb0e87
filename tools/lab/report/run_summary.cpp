#include "report/run_summary.h"

#include "report/json_view.h"

namespace flare::lab {
namespace {

RunSecond second_of(const JsonView& from) {
  RunSecond second;
  second.rate = from["rate"].number();
  second.requests = from["requests"].count();
  second.vm = from["vm"].count();
  second.serverless = from["serverless"].count();
  second.failed = from["failed"].count();
  second.p50_ms = from["p50_ms"].number_or_null();
  second.p95_ms = from["p95_ms"].number_or_null();
  return second;
}

void read_lateness(RunSummary& run, const JsonView& from) {
  run.lateness_p50_ms = from["p50_ms"].number();
  run.lateness_p99_ms = from["p99_ms"].number();
  run.lateness_max_ms = from["max_ms"].number();
  run.is_void = from["void"].flag();
}

RunSummary run_of(const JsonView& from) {
  RunSummary run;
  run.label = from["label"].word();
  run.mode = from["run"]["mode"].word();
  run.connections = from["run"]["connections"].word();
  run.objective_ms = from["run"]["objective_ms"].number();
  const JsonView total = from["total"];
  run.requests = total["requests"].count();
  run.serverless = total["serverless"].count();
  run.serverless_billed_ms = total["serverless_billed_ms"].count();
  run.failed = total["failed"].count();
  run.over_objective = total["over_objective"].count();
  run.lead_in_serverless = from["lead_in"]["serverless"].count();
  run.lead_in_failed = from["lead_in"]["failed"].count();
  run.peak_p50_ms = from["peak"]["p50_ms"].number_or_null();
  run.peak_p95_ms = from["peak"]["p95_ms"].number_or_null();
  run.seconds_p50_over = from["peak"]["seconds_p50_over"].whole();
  run.seconds_p95_over = from["peak"]["seconds_p95_over"].whole();
  read_lateness(run, from["lateness"]);
  if (from["interrupted"].flag()) run.is_void = true;
  for (const JsonView& second : from["seconds"].items()) run.seconds.push_back(second_of(second));
  return run;
}

}  // namespace

Result<RunSummary> read_run(const std::filesystem::path& path) {
  auto document = JsonDocument::read(path);
  if (!document) return document.error();
  const JsonView root = document->root();
  if (root["schema"].word() != "flare-load/1") return Error(path.string() + ": unknown schema");
  RunSummary run = run_of(root);
  if (const auto problem = document->problem()) return *problem;
  return run;
}

}  // namespace flare::lab
