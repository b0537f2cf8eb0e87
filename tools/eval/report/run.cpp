#include "eval/report/run.h"

#include <algorithm>

#include "eval/report/run_parts.h"
#include "eval/report/zstd_file.h"
#include "load/log.h"
#include "report/json_view.h"
#include "report/run_summary.h"

namespace flare::eval {
namespace {

using lab::JsonDocument;
using lab::JsonView;

/// What happens in the run begins when the VMs become slow, or at the spike's onset.
std::optional<int> onset_of(const JsonView& root) {
  if (root["scenario"].word() == "steady") return std::nullopt;
  const bool slow = !root["slow"].is_null();
  const std::optional<double> onset =
      slow ? root["slow"]["from_s"].number() : root["onset_s"].number_or_null();
  return onset ? std::optional(static_cast<int>(*onset)) : std::nullopt;
}

void read_words(Run& run, const JsonView& root) {
  const Cell told = {root["profile"].word(),     root["scenario"].word(),  root["clients"].word(),
                     root["connections"].word(), root["functions"].word(), root["policy"].word()};
  run.cell = told;
  run.repetition = root["repetition"].whole();
  run.seed = root["seed"].count();
  run.onset_s = onset_of(root);
  run.seconds = static_cast<int>(root["seconds"].number());
  run.objective_ms = root["objective_ms"].number();
  run.capacity_rps = root["capacity_rps"].number();
  run.capacity_told_rps = root["capacity_told_rps"].number();
  run.started_unix = static_cast<std::int64_t>(root["started_unix"].number());
  run.concurrent = root["concurrent"].whole();
  run.load_average = root["load_average"].number();
  if (!root["void"].flag()) return;
  for (const JsonView& reason : root["void_reasons"].items()) {
    run.void_reasons.push_back(reason.word());
  }
  if (run.void_reasons.empty()) run.void_reasons.emplace_back("no reason told");
}

Result<Run> read_head(const std::filesystem::path& path, const Cell& cell, int repetition) {
  auto document = JsonDocument::read(path);
  if (!document) return document.error();
  const JsonView root = document->root();
  if (root["schema"].word_or("") != "flare-eval-run/1") {
    return Error(path.string() + ": key 'schema' is not flare-eval-run/1");
  }
  Run run;
  read_words(run, root);
  if (const auto problem = document->problem()) return *problem;
  if (run.cell != cell || run.repetition != repetition) {
    return Error(path.string() + " says that it is " + run.cell.name() + ", repetition " +
                 std::to_string(run.repetition));
  }
  if (run.objective_ms <= 0) return Error(path.string() + ": key 'objective_ms' is not above 0");
  if (run.capacity_rps <= 0) return Error(path.string() + ": key 'capacity_rps' is not above 0");
  return run;
}

/// The summary of flare-load: lateness and the rates asked for.
Result<void> read_load(Run& run, const std::filesystem::path& path, std::uint64_t* requests) {
  const auto load = lab::read_run(path);
  if (!load) return load.error();
  run.lateness = Lateness{load->lateness_p50_ms, load->lateness_p99_ms, load->lateness_max_ms};
  for (const lab::RunSecond& second : load->seconds) run.rates.push_back(second.rate);
  if (load->is_void && run.valid()) {
    run.void_reasons.emplace_back("load.json: the generator was late or was interrupted");
  }
  *requests = load->requests;
  return {};
}

Result<void> read_requests(Run& run, const std::filesystem::path& path, std::uint64_t expected) {
  const auto text = read_zstd(path);
  if (!text) return text.error();
  const auto records = lab::parse_log(*text);
  if (!records) return records.error().within(path.string());
  const int seconds = static_cast<int>(run.rates.size());
  run.measures = measure(*records, {.seconds = seconds,
                                    .onset_s = run.onset_s.value_or(seconds),
                                    .objective_ms = run.objective_ms,
                                    .capacity_rps = run.capacity_rps});
  if (run.measures.requests != expected) {
    return Error(path.string() + " has " + std::to_string(run.measures.requests) +
                 " requests, load.json: key 'total.requests' says " + std::to_string(expected));
  }
  return {};
}

Result<void> read_parts(Run& run, const std::filesystem::path& folder) {
  std::uint64_t requests = 0;
  if (auto read = read_load(run, folder / "load.json", &requests); !read) return read;
  if (auto read = read_requests(run, folder / "requests.csv.zst", requests); !read) return read;
  if (auto read = read_fleet(run.fleet, folder / "fleet.json"); !read) return read;
  if (auto read = read_control(run.control, folder / "control.jsonl"); !read) return read;
  if (auto read = read_service(run.over_cap, folder / "service.json"); !read) return read;
  return read_serverless(run.cold_starts, folder / "serverless.json");
}

}  // namespace

std::optional<double> Fleet::first_nodes() const {
  const auto first = std::ranges::find_if(samples, [](const auto& s) { return s.t_s >= 0; });
  return first == samples.end() ? std::nullopt : std::optional<double>(first->nodes);
}

Result<Run> read_run_folder(const std::filesystem::path& folder, const Cell& cell, int repetition) {
  if (!std::filesystem::exists(folder / "run.json")) {
    Run unfinished;
    unfinished.cell = cell;
    unfinished.repetition = repetition;
    unfinished.void_reasons.emplace_back("it has no run.json: it did not end, or is not over yet");
    return unfinished;
  }
  auto run = read_head(folder / "run.json", cell, repetition);
  if (!run) return run.error();
  if (run->valid()) {
    if (auto read = read_parts(*run, folder); !read) return read.error();
  } else if (std::filesystem::exists(folder / "load.json")) {
    std::uint64_t requests = 0;
    if (auto read = read_load(*run, folder / "load.json", &requests); !read) return read.error();
  }
  return run;
}

}  // namespace flare::eval
