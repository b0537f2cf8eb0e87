#include "eval/report/results.h"

#include <algorithm>
#include <charconv>

#include "eval/report/words.h"
#include "report/json_view.h"

namespace flare::eval {
namespace {

using lab::JsonDocument;
using lab::JsonView;

std::string ipvs_words(const JsonView& ipvs) {
  if (ipvs.is_null()) return "";
  if (ipvs["run"].flag()) return "IPVS was run, too.";
  return "IPVS was not run: " + ipvs["why"].word_or("no reason told") + ".";
}

void read_machine(Manifest& manifest, const JsonView& root) {
  manifest.commit = root["commit"].word();
  manifest.dirty = root["dirty"].flag();
  manifest.kernel = root["kernel"].word();
  manifest.machine = root["machine"].word();
  manifest.cpus = root["cpus"].whole();
  manifest.memory_mib = static_cast<int>(root["memory_mib"].number());
  manifest.started_unix = static_cast<std::int64_t>(root["started_unix"].number());
  manifest.repetitions = root["repetitions"].whole();
}

void read_trace(Manifest& manifest, const JsonView& trace) {
  manifest.trace_file = trace["file"].word();
  manifest.trace_sha256 = trace["sha256"].word();
  manifest.trace_scale = trace["scale"].number();
  manifest.calm_rps = trace["calm_rps"].number();
  manifest.onset_trace_s = static_cast<int>(trace["onset_trace_s"].number());
}

Result<Manifest> read_manifest(const std::filesystem::path& path) {
  auto document = JsonDocument::read(path);
  if (!document) return document.error();
  const JsonView root = document->root();
  if (root["schema"].word_or("") != "flare-eval-manifest/1") {
    return Error(path.string() + ": key 'schema' is not flare-eval-manifest/1");
  }
  Manifest manifest;
  read_machine(manifest, root);
  read_trace(manifest, root["trace"]);
  manifest.ipvs = ipvs_words(root["ipvs"]);
  for (const JsonView& entry : root["cells"].items()) {
    const auto cell = parse_cell(entry.word());
    if (document->problem()) break;
    if (!cell) return Error(path.string() + ": key 'cells': " + entry.word() + " is no cell");
    manifest.planned.push_back(*cell);
  }
  if (const auto problem = document->problem()) return *problem;
  return manifest;
}

std::vector<std::string> names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(folder, none)) {
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

Result<std::vector<Run>> read_cell(const std::filesystem::path& folder, const Cell& cell) {
  std::vector<Run> runs;
  for (const std::string& name : names_in(folder)) {
    int repetition = 0;
    const auto read = std::from_chars(name.data(), name.data() + name.size(), repetition);
    if (read.ec != std::errc() || read.ptr != name.data() + name.size() || repetition < 1) {
      return Error((folder / name).string() + " is no repetition");
    }
    auto run = read_run_folder(folder / name, cell, repetition);
    if (!run) return run.error();
    runs.push_back(*std::move(run));
  }
  std::ranges::sort(runs, {}, &Run::repetition);
  return runs;
}

}  // namespace

const std::vector<Run>& Results::runs(const Cell& cell) const {
  static const std::vector<Run> none;
  const auto found = cells.find(cell.name());
  return found == cells.end() ? none : found->second;
}

std::vector<const Run*> Results::valid_runs(const Cell& cell) const {
  std::vector<const Run*> valid;
  for (const Run& run : runs(cell)) {
    if (run.valid()) valid.push_back(&run);
  }
  return valid;
}

const Run* Results::median(const Cell& cell) const {
  std::vector<const Run*> valid = valid_runs(cell);
  if (valid.empty()) return nullptr;
  std::ranges::stable_sort(valid, {}, [](const Run* run) { return run->measures.peak_p95_ms; });
  return valid[valid.size() / 2];
}

bool Results::planned(const Cell& cell) const {
  return std::ranges::find(manifest.planned, cell) != manifest.planned.end() || !runs(cell).empty();
}

std::string Results::why_missing(const Cell& cell) const {
  if (!planned(cell)) return cell.name() + " is not in this matrix";
  const std::vector<Run>& list = runs(cell);
  if (list.empty()) return cell.name() + " has no run";
  std::vector<std::string> reasons;
  reasons.reserve(list.size());
  for (const Run& run : list) reasons.push_back(joined(run.void_reasons, "; "));
  return cell.name() + " has no valid run (" + joined(reasons, "; ") + ")";
}

std::vector<Cell> Results::all_cells() const {
  std::vector<Cell> all = manifest.planned;
  for (const auto& [name, list] : cells) {
    const auto cell = parse_cell(name);
    if (cell && std::ranges::find(all, *cell) == all.end()) all.push_back(*cell);
  }
  std::ranges::stable_sort(all, {}, rank_of);
  return all;
}

Result<Results> read_results(const std::filesystem::path& folder) {
  Results results;
  auto manifest = read_manifest(folder / "manifest.json");
  if (!manifest) return manifest.error();
  results.manifest = *std::move(manifest);
  for (const std::string& name : names_in(folder / "runs")) {
    const auto cell = parse_cell(name);
    if (!cell) return Error((folder / "runs" / name).string() + " is no cell");
    auto runs = read_cell(folder / "runs" / name, *cell);
    if (!runs) return runs.error();
    if (!runs->empty()) results.cells[name] = *std::move(runs);
  }
  return results;
}

}  // namespace flare::eval
