// What was run: the facts, every run, what is missing, and the prices.
#include <algorithm>
#include <cstdio>
#include <set>

#include "eval/report/paper.h"
#include "eval/report/table.h"

namespace flare::eval {
namespace {

template <typename... Args>
std::string printed(const char* format, Args... args) {
  char text[300];
  std::snprintf(text, sizeof(text), format, args...);
  return text;
}

/// All runs, of all cells, in the order in which cells are shown.
std::vector<const Run*> all_runs(const Results& results) {
  std::vector<const Run*> list;
  for (const Cell& cell : results.all_cells()) {
    for (const Run& run : results.runs(cell)) list.push_back(&run);
  }
  return list;
}

std::string least_to_most(std::vector<double> values, const char* format) {
  if (values.empty()) return "-";
  const auto [least, most] = std::ranges::minmax(values);
  const std::string low = printed(format, least);
  const std::string high = printed(format, most);
  return low == high ? low : low + " to " + high;
}

template <typename Of>
std::string range_of(const std::vector<const Run*>& runs, const char* format, Of of) {
  std::vector<double> values;
  for (const Run* run : runs) values.push_back(of(*run));
  return least_to_most(std::move(values), format);
}

std::string seeds_of(const std::vector<const Run*>& runs) {
  std::set<std::uint64_t> seeds;
  for (const Run* run : runs) {
    if (run->valid()) seeds.insert(run->seed);
  }
  std::vector<std::string> words;
  words.reserve(seeds.size());
  for (const std::uint64_t seed : seeds) words.push_back(std::to_string(seed));
  return joined(words, ", ");
}

std::string lateness_of(const std::vector<const Run*>& runs) {
  std::vector<const Run*> valid;
  std::ranges::copy_if(runs, std::back_inserter(valid),
                       [](const Run* run) { return run->valid(); });
  return "p50 " + range_of(valid, "%.2f ms", [](const Run& run) { return run.lateness->p50_ms; }) +
         ", p99 " +
         range_of(valid, "%.1f ms", [](const Run& run) { return run.lateness->p99_ms; }) +
         ", most " +
         range_of(valid, "%.1f ms", [](const Run& run) { return run.lateness->max_ms; }) +
         " (valid runs; each run's is in the last table)";
}

std::string runs_words(const Results& results, const std::vector<const Run*>& runs) {
  const auto unused = std::ranges::count_if(runs, [](const Run* run) { return !run->valid(); });
  return printed("%zu cells, %d repetitions planned; %zu runs, of which %td are void and not used",
                 results.all_cells().size(), results.manifest.repetitions, runs.size(), unused);
}

}  // namespace

Table facts_table(const Results& results) {
  const Manifest& manifest = results.manifest;
  const auto runs = all_runs(results);
  Table table = {"facts", "What was run", "", {"", ""}, {}};
  table.rows = {
      {"runs", runs_words(results, runs)},
      {"started", date_text(manifest.started_unix)},
      {"commit", manifest.commit + (manifest.dirty ? ", with changes that are not committed" : "")},
      {"machine", printed("%s, %d CPUs, %d MiB", manifest.machine.c_str(), manifest.cpus,
                          manifest.memory_mib)},
      {"kernel", manifest.kernel},
      {"trace",
       printed("%s (sha256 %.12s...), counts x %.4g: %.0f requests a second when calm; the "
               "onset is its second %d",
               manifest.trace_file.c_str(), manifest.trace_sha256.c_str(), manifest.trace_scale,
               manifest.calm_rps, manifest.onset_trace_s)},
      {"seeds", seeds_of(runs)},
      {"cells at once",
       range_of(runs, "%.0f", [](const Run& run) { return run.concurrent; }) + "; load average " +
           range_of(runs, "%.1f", [](const Run& run) { return run.load_average; })},
      {"generator's lateness", lateness_of(runs)}};
  if (!manifest.ipvs.empty()) table.rows.push_back({"IPVS", manifest.ipvs});
  return table;
}

Table runs_table(const Results& results) {
  Table table = {"runs",
                 "Every run",
                 "A void run is shown here and used nowhere. Lateness is the load generator's own, "
                 "from the intended start to the attempt; a p99 over 20 ms makes a run void.",
                 {"cell", "repetition", "seed", "started", "at once", "load average",
                  "lateness p50", "p99", "most", "used"},
                 {}};
  for (const Run* run : all_runs(results)) {
    const auto ms = [&](double Lateness::*value) {
      return run->lateness ? printed("%.1f ms", *run->lateness.*value) : std::string("-");
    };
    table.rows.push_back({run->cell.name(), std::to_string(run->repetition),
                          std::to_string(run->seed), date_text(run->started_unix),
                          std::to_string(run->concurrent), printed("%.1f", run->load_average),
                          ms(&Lateness::p50_ms), ms(&Lateness::p99_ms), ms(&Lateness::max_ms),
                          run->valid() ? "yes" : "VOID: " + joined(run->void_reasons, "; ")});
  }
  return table;
}

Table missing_table(const Results& results) {
  Table table = {"missing", "Cells without a valid run", "", {"cell", "why"}, {}};
  for (const Cell& cell : results.all_cells()) {
    if (results.median(cell) == nullptr) {
      table.rows.push_back({cell.name(), results.why_missing(cell)});
    }
  }
  return table;
}

Table prices_table(const lab::Prices& prices) {
  return {
      "prices",
      "Prices",
      "AWS list prices, us-east-1. A request pays for one vCPU for its service time, rounded up to "
      "1 ms.",
      {"item", "price"},
      {{"Lambda duration, x86", printed("%.10f USD per GB-s", prices.lambda_usd_per_gb_second)},
       {"Lambda memory of one vCPU", printed("%.4f GB", prices.lambda_gb)},
       {"Lambda requests", printed("%.2f USD per million", prices.lambda_usd_per_million_requests)},
       {"VM, t3.xlarge", printed("%.4f USD an hour", prices.vm_usd_per_hour)}}};
}

}  // namespace flare::eval
