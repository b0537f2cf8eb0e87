#include "made_results.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <zstd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "load/log.h"

namespace flare::eval {
namespace {

using Json = nlohmann::json;

Json load_json(const MadeRun& run) {
  const Json tally = {{"requests", run.requests.size()},
                      {"vm", 0},
                      {"serverless", 0},
                      {"failed", 0},
                      {"over_objective", 0},
                      {"serverless_billed_ms", 0}};
  Json seconds = Json::array();
  for (int i = 0; i < run.seconds; ++i) {
    seconds.push_back({{"rate", 20},
                       {"requests", 20},
                       {"vm", 20},
                       {"serverless", 0},
                       {"failed", 0},
                       {"p50_ms", 1},
                       {"p95_ms", nullptr}});
  }
  return {
      {"schema", "flare-load/1"},
      {"label", "made"},
      {"interrupted", false},
      {"run", {{"mode", "users"}, {"connections", "new"}, {"objective_ms", 400}}},
      {"total", tally},
      {"lead_in", {{"serverless", 0}, {"failed", 0}}},
      {"peak", {{"p50_ms", 1}, {"p95_ms", 1}, {"seconds_p50_over", 0}, {"seconds_p95_over", 0}}},
      {"lateness", {{"p50_ms", 0.5}, {"p99_ms", 2.5}, {"max_ms", 7}, {"void", false}}},
      {"seconds", seconds}};
}

Json run_json(const MadeRun& run) {
  const Cell cell = *parse_cell(run.cell);
  return {{"schema", "flare-eval-run/1"},
          {"profile", cell.profile},
          {"scenario", cell.scenario},
          {"clients", cell.clients},
          {"connections", cell.connections},
          {"functions", cell.functions},
          {"policy", cell.policy},
          {"repetition", run.repetition},
          {"seed", 7},
          {"onset_s", 5},
          {"seconds", run.seconds},
          {"objective_ms", 400},
          {"capacity_rps", 100},
          {"capacity_told_rps", 100},
          {"started_unix", 1795682000},
          {"concurrent", 2},
          {"load_average", 1.5},
          {"slow", nullptr},
          {"void", run.is_void},
          {"void_reasons", run.is_void ? Json{"the machine was <busy>"} : Json::array()}};
}

Json fleet_json(const MadeRun& run) {
  return {{"events", {{{"t_s", 8}, {"event", "pod-ready"}, {"pod", 9}}}},
          {"samples",
           {{{"t_s", -1}, {"pods_ready", 1}, {"pods_wanted", 1}, {"nodes", 1}},
            {{"t_s", 0}, {"pods_ready", 8}, {"pods_wanted", 8}, {"nodes", run.nodes}},
            {{"t_s", 9}, {"pods_ready", 9}, {"pods_wanted", 16}, {"nodes", run.nodes + 1}}}},
          {"node_seconds", run.node_seconds}};
}

}  // namespace

void write_text(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  ASSERT_TRUE(file) << path;
}

std::string packed(const std::string& text) {
  std::string room(ZSTD_compressBound(text.size()), '\0');
  room.resize(ZSTD_compress(room.data(), room.size(), text.data(), text.size(), 3));
  return room;
}

MadeResults::MadeResults(const std::vector<std::string>& planned) {
  std::string name = std::filesystem::temp_directory_path() / "flare-eval-report-XXXXXX";
  EXPECT_NE(mkdtemp(name.data()), nullptr);
  root_ = name;
  const Json manifest = {{"schema", "flare-eval-manifest/1"},
                         {"commit", "abc123"},
                         {"dirty", true},
                         {"kernel", "6.1"},
                         {"machine", "a <machine>"},
                         {"cpus", 2},
                         {"memory_mib", 4096},
                         {"started_unix", 1795682000},
                         {"trace",
                          {{"file", "trace.csv"},
                           {"sha256", "0123456789abcdef"},
                           {"scale", 2.7},
                           {"calm_rps", 200},
                           {"onset_trace_s", 1945}}},
                         {"repetitions", 3},
                         {"cells", planned},
                         {"ipvs", {{"run", false}, {"why", "no module"}}}};
  write_text(root_ / "manifest.json", manifest.dump());
}

MadeResults::~MadeResults() { std::filesystem::remove_all(root_); }

std::filesystem::path MadeResults::folder_of(const MadeRun& run) const {
  return root_ / "runs" / run.cell / std::to_string(run.repetition);
}

void MadeResults::overwrite(const MadeRun& run, const std::string& file,
                            const std::string& text) const {
  write_text(folder_of(run) / file, text);
}

void MadeResults::add(const MadeRun& run) const {
  const std::filesystem::path folder = folder_of(run);
  std::filesystem::create_directories(folder);
  write_text(folder / "run.json", run_json(run).dump());
  write_text(folder / "load.json", load_json(run).dump());
  write_text(folder / "fleet.json", fleet_json(run).dump());
  if (run.over_cap) {
    const Json service = {{"service", {{"name", "eval"}, {"over_cap", *run.over_cap}}}};
    write_text(folder / "service.json", service.dump());
  }
  write_text(
      folder / "control.jsonl",
      "{\"t_s\": 0, \"share\": 0, \"cap\": 48}\n{\"t_s\": 1, \"share\": null, \"cap\": null}\n");
  write_text(folder / "serverless.json", "{\"cold_starts\": 3}");
  ASSERT_TRUE(lab::write_log(folder / "requests.csv", run.requests));
  std::ifstream log(folder / "requests.csv", std::ios::binary);
  std::ostringstream text;
  text << log.rdbuf();
  write_text(folder / "requests.csv.zst", packed(text.str()));
}

}  // namespace flare::eval
