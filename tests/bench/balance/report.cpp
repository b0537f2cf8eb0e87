#include "report.h"

#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace flare::bench {
namespace {

using Json = nlohmann::ordered_json;

const char* word(Family family) { return family == Family::kV4 ? "IPv4" : "IPv6"; }

const char* verdict(const std::vector<Bound>& bounds) { return all_hold(bounds) ? "ok" : "WRONG"; }

Json bounds_json(const std::vector<Bound>& bounds) {
  Json list = Json::array();
  for (const Bound& one : bounds) list.push_back({{"what", one.what}, {"holds", one.holds}});
  return list;
}

Json deviation_json(const Deviation& found) {
  return {{"largest", found.largest}, {"backend", found.backend}, {"beyond_3", found.beyond_3}};
}

Json quantiles_json(const Quantiles& found) {
  Json made{{"p50", found[0]}, {"p95", found[1]}, {"p99", found[2]}};
  if (!std::isnan(found[3])) made["max"] = found[3];
  return made;
}

Json queueing_json(const Queueing& found) {
  return {{"in_flight", quantiles_json(found.in_flight)},
          {"waiting", quantiles_json(found.waiting)},
          {"waited", found.waited}};
}

Json queue_json(const QueueCase& set) {
  return {{"title", set.title},
          {"backends", set.weights.size()},
          {"workers_of_one", set.workers_of_one},
          {"hash", queueing_json(set.hash)},
          {"hash_in_theory", quantiles_json(set.theory)},
          {"least", queueing_json(set.least)},
          {"bounds", bounds_json(set.bounds)}};
}

void print_row(const char* title, const Quantiles& found, const char* format, bool most = true) {
  std::printf("  %-34s", title);
  for (std::size_t i = 0; i < found.size() - !most; ++i) std::printf(format, found[i]);
  std::printf("\n");
}

bool judge_one(const std::string& where, const std::vector<Bound>& bounds) {
  for (const Bound& one : bounds)
    if (!one.holds) std::cout << "WRONG: " << where << ": " << one.what << '\n';
  return all_hold(bounds);
}

}  // namespace

void print_spreads(const BalanceReport& report) {
  std::printf("%u backends, weights 1 to %u, seed %llu\n", report.spread_plan.backends,
              report.spread_plan.weight_max, static_cast<unsigned long long>(report.seed));
  std::printf("%-6s %9s %6s %12s %11s %8s %11s %8s %8s\n", "new", "flows", "slots", "table off by",
              "of slots", "beyond 3", "of weight", "beyond 3", "chi2");
  for (const Spread& one : report.spreads)
    std::printf("%-6s %9llu %6u %10.4f %% %5.2f sigma %8u %5.2f sigma %8u %8.1f  %s\n",
                word(one.family), static_cast<unsigned long long>(one.flows), one.slots,
                100 * one.table_error, one.of_table.largest, one.of_table.beyond_3,
                one.of_weight.largest, one.of_weight.beyond_3, one.chi_square, verdict(one.bounds));
}

void print_queues(const BalanceReport& report) {
  std::printf("\n%u backends at %.0f %%, %u requests, each on a connection of its own\n",
              report.queue_plan.backends, 100 * report.queue_plan.utilisation,
              report.queue_plan.requests);
  for (const QueueCase& set : report.queues) {
    std::printf("%-36s %8s %8s %8s %8s   %s\n", set.title.c_str(), "P50", "P95", "P99", "most",
                verdict(set.bounds));
    print_row("in flight for its weight: hash", set.hash.in_flight, "%9.2f");
    print_row("  by theory (M/M/c)", set.theory, "%9.2f", false);
    print_row("in flight for its weight: least", set.least.in_flight, "%9.2f");
    print_row("waiting, service times: hash", set.hash.waiting, "%9.2f");
    print_row("waiting, service times: least", set.least.waiting, "%9.2f");
    std::printf("  %-34s %8.2f hash, %.2f least\n", "part that waits", set.hash.waited,
                set.least.waited);
  }
}

void print_disruptions(const BalanceReport& report) {
  std::printf("\nchoices by hash that another set moves\n%-9s %-9s %14s %8s %8s %8s\n", "backends",
              "change", "slots", "must", "move", "others");
  for (const Disruption& one : report.disruptions)
    std::printf("%-9u %-9s %5u to %5u %6.2f %% %6.2f %% %6.2f %%  %s\n", one.backends,
                one.change.c_str(), one.slots_before, one.slots_after, 100 * one.ideal,
                100 * one.moved, 100 * one.others, verdict(one.bounds));
}

bool judge(const BalanceReport& report) {
  bool good = true;
  for (const Spread& one : report.spreads) good &= judge_one(word(one.family), one.bounds);
  for (const QueueCase& one : report.queues) good &= judge_one(one.title, one.bounds);
  for (const Disruption& one : report.disruptions)
    good &= judge_one(std::to_string(one.backends) + ", " + one.change, one.bounds);
  return good;
}

void write_json(const std::filesystem::path& path, const BalanceReport& report) {
  Json made{{"target", "balance"}, {"format", 1}, {"commit", report.commit}};
  made["seed"] = report.seed;
  made["spread"] = Json::array();
  for (const Spread& one : report.spreads)
    made["spread"].push_back({{"family", word(one.family)},
                              {"backends", report.spread_plan.backends},
                              {"flows", one.flows},
                              {"slots", one.slots},
                              {"table_error", one.table_error},
                              {"of_slots", deviation_json(one.of_table)},
                              {"of_weight", deviation_json(one.of_weight)},
                              {"chi_square", one.chi_square},
                              {"bounds", bounds_json(one.bounds)}});
  made["utilisation"] = report.queue_plan.utilisation;
  made["requests"] = report.queue_plan.requests;
  made["select"] = Json::array();
  for (const QueueCase& set : report.queues) made["select"].push_back(queue_json(set));
  made["disruption"] = Json::array();
  for (const Disruption& one : report.disruptions)
    made["disruption"].push_back({{"backends", one.backends},
                                  {"change", one.change},
                                  {"slots_before", one.slots_before},
                                  {"slots_after", one.slots_after},
                                  {"must", one.ideal},
                                  {"moved", one.moved},
                                  {"others", one.others},
                                  {"bounds", bounds_json(one.bounds)}});
  std::error_code ignored;
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), ignored);
  std::ofstream file(path);
  file << made.dump(2) << '\n';
  if (!file.flush()) throw std::runtime_error("cannot write " + path.string());
}

}  // namespace flare::bench
