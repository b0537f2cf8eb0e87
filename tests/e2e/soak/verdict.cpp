#include "verdict.h"

#include <algorithm>

namespace flare::test {
namespace {

constexpr std::uint64_t kGrowthMax = 1'000'000;  ///< bytes
constexpr std::uint64_t kRateMin = 1000;         ///< datagrams a second, or nothing was shown
constexpr double kWaitMax = 10;                  ///< seconds, with a link down for one

WindowCount sum_of(const std::vector<FaultRow>& rows, bool may_lose) {
  WindowCount sum;
  for (const FaultRow& row : rows)
    if (row.may_lose.empty() != may_lose) sum += row.count;
  return sum;
}

std::uint64_t times_of(const std::vector<FaultRow>& rows, bool may_lose) {
  std::uint64_t sum = 0;
  for (const FaultRow& row : rows)
    if (row.may_lose.empty() != may_lose) sum += row.times;
  return sum;
}

SoakRule no_growth(const std::string& name, const std::string& what, const Trend& trend,
                   std::uint64_t most) {
  return {name,
          what,
          trend.samples() >= 9 && trend.growth() <= most,
          {{"first", trend.first()}, {"last", trend.last()}, {"samples", trend.samples()}}};
}

}  // namespace

std::vector<SoakRule> judge_soak(const SoakResult& result) {
  const WindowCount faulty = sum_of(result.faults, false), allowed = sum_of(result.faults, true);
  const std::uint64_t faults = times_of(result.faults, false);
  const auto rate = static_cast<std::uint64_t>(static_cast<double>(result.calm.sent) /
                                               std::max(result.calm.seconds, 1.0));
  const bool all_sinks = std::all_of(result.by_sink.begin(), result.by_sink.end() - 1,
                                     [](std::uint64_t count) { return count > 0; });
  std::vector<SoakRule> rules{
      {"soak.to_its_end",
       "the agent did what it was asked, to the end",
       result.failure.empty(),
       {}},
      {"soak.traffic",
       "datagrams were sent, and every configured backend was sent some",
       rate >= kRateMin && all_sinks,
       {{"per_second", rate}, {"flows", result.flows}}},
      {"soak.no_loss",
       "between faults nothing was lost",
       result.calm.sent > 0 && result.calm.lost() == 0,
       {{"sent", result.calm.sent},
        {"lost", result.calm.lost()},
        {"late", result.late},
        {"backlog_dropped", result.drops.backlog},
        {"socket_dropped", result.drops.sockets},
        {"datapath_dropped", result.drops.datapath}}},
      {"soak.no_loss_in_faults",
       "in the windows of faults that may lose nothing, nothing was lost",
       faults > 0 && faulty.lost() == 0,
       {{"faults", faults}, {"sent", faulty.sent}, {"lost", faulty.lost()}}},
      {"soak.flows",
       "no datagram reached another backend than its flow's, twice, or changed",
       result.moved + result.repeated + result.corrupt == 0,
       {{"flows", result.flows},
        {"moved", result.moved},
        {"repeated", result.repeated},
        {"corrupt", result.corrupt}}},
      {"soak.connections",
       "no open connection was reset, changed or stalled for 10 s",
       result.exchanges > 0 && result.resets + result.changed == 0 &&
           result.longest_wait < kWaitMax,
       {{"connections", result.streams},
        {"exchanges", result.exchanges},
        {"resets", result.resets},
        {"longest_wait_ms", static_cast<std::uint64_t>(result.longest_wait * 1000)}}},
      no_growth("soak.memory", "flared's resident memory grew by less than 1 MB", result.memory,
                kGrowthMax),
      no_growth("soak.descriptors", "flared has no more descriptors than before",
                result.descriptors, 0),
      no_growth("soak.maps", "flared and its pins hold no more maps than before", result.maps, 0),
      no_growth("soak.map_bytes", "the maps' memory grew by less than 1 MB", result.map_bytes,
                kGrowthMax),
  };
  // what is counted must be able to miss something
  if (const std::uint64_t times = times_of(result.faults, true); times > 0)
    rules.push_back({"soak.sees_loss",
                     "the loss of a link that is down was seen",
                     allowed.lost() > 0,
                     {{"faults", times}, {"sent", allowed.sent}, {"lost", allowed.lost()}}});
  return rules;
}

}  // namespace flare::test
