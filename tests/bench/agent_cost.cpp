#include "agent_cost.h"

#include <benchmark/benchmark.h>

#include <map>
#include <stdexcept>

#include "control/maglev.h"

namespace flare::bench {
namespace {

constexpr HashKey kKey = {1, 2};

std::vector<MaglevBackend> some_backends(std::uint32_t count) {
  std::vector<MaglevBackend> made;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::string text =
        "203.0." + std::to_string(i / 250) + "." + std::to_string(1 + i % 250) + ":8080";
    made.push_back({.id = i + 1, .endpoint = *Endpoint::parse(text), .weight = 1 + i % 3});
  }
  return made;
}

void build_table(benchmark::State& state) {
  const auto backends = some_backends(static_cast<std::uint32_t>(state.range(0)));
  const std::uint32_t slots = maglev_slots(backends);
  for (auto _ : state) benchmark::DoNotOptimize(maglev_table(backends, kKey, slots));
}

/// Takes what the library measured and prints nothing.
class Collector : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.error_occurred) throw std::runtime_error(run.error_message);
      found[run.benchmark_name()] = run;
    }
  }
  std::map<std::string, Run> found;
};

}  // namespace

std::vector<AgentCost> measure_agent(World& world) {
  const Maps& maps = world.maps();
  const auto table = [&maps](benchmark::State& state) {
    const auto backends = some_backends(10);
    const auto slots = maglev_table(backends, kKey, maglev_slots(backends));
    for (auto _ : state)
      if (!maps.tables.publish(0, FLARE_TIER_SERVERLESS, slots)) state.SkipWithError("publish");
  };
  const auto service = [&maps](benchmark::State& state) {
    MapCursor cursor;
    const auto entry = maps.services.next(cursor, 64);
    if (!entry || entry->empty()) return state.SkipWithError("there is no service");
    flare_service value = entry->front().value;
    for (auto _ : state) {
      ++value.epoch;
      if (!maps.services.update(entry->front().key, value)) state.SkipWithError("update");
    }
  };
  const auto counters = [&maps](benchmark::State& state) {
    for (auto _ : state)
      for (std::uint32_t id = 0; id < 1024; ++id) benchmark::DoNotOptimize(maps.service_totals(id));
  };
  struct Entry {
    std::string name, key, title;
  };
  const std::vector<Entry> entries = {
      {"build_table/10", "maglev_build_10", "Maglev table of 10 backends, build"},
      {"build_table/1000", "maglev_build_1000", "Maglev table of 1,000 backends, build"},
      {"publish_table", "maglev_publish_10", "Maglev table of 10 backends, into the kernel"},
      {"service_update", "service_update", "one service, change its share"},
      {"counters_read_1024", "counters_read_1024", "counters of 1,024 services, all CPUs, read"},
  };
  benchmark::RegisterBenchmark("build_table", build_table)->Arg(10)->Arg(1000);
  benchmark::RegisterBenchmark("publish_table", table);
  benchmark::RegisterBenchmark("service_update", service);
  benchmark::RegisterBenchmark("counters_read_1024", counters);
  Collector collector;
  benchmark::RunSpecifiedBenchmarks(&collector);

  std::vector<AgentCost> costs;
  for (const Entry& entry : entries) {
    const auto run = collector.found.find(entry.name);
    if (run == collector.found.end()) throw std::runtime_error("not measured: " + entry.name);
    costs.push_back(
        {entry.key, entry.title,
         run->second.real_accumulated_time * 1e9 / static_cast<double>(run->second.iterations),
         static_cast<std::uint64_t>(run->second.iterations)});
  }
  return costs;
}

}  // namespace flare::bench
