#include "report.h"

#include <chrono>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <ostream>
#include <stdexcept>

namespace flare::bench {
namespace {

template <typename... Values>
std::string formatted(const char* format, Values... values) {
  const int size = std::snprintf(nullptr, 0, format, values...);
  std::string text(static_cast<std::size_t>(size) + 1, '\0');
  std::snprintf(text.data(), text.size(), format, values...);
  text.pop_back();
  return text;
}

const char* heading(flare_hook hook) {
  if (hook == FLARE_HOOK_XDP) return "XDP";
  return hook == FLARE_HOOK_TC_INGRESS ? "tc ingress" : "tc egress";
}

/// The floor of the hooks with this test loop: median over its cases' medians.
double floor_of(const Report& report, bool xdp) {
  std::vector<double> floors;
  for (const Outcome& outcome : report.outcomes)
    if ((outcome.what.hook == FLARE_HOOK_XDP) == xdp) floors.push_back(outcome.floor_ns);
  return spread_of(floors).median;
}

std::string verdict_text(const Outcome& outcome) {
  static constexpr const char* kWords[] = {"pass", "drop", "forward", "other"};
  std::string text;
  for (std::size_t i = 0; i < BENCH_VERDICTS; ++i)
    if (outcome.verdicts[i] != 0)
      text += std::string(text.empty() ? "" : ", ") + kWords[i] + " " +
              std::to_string(outcome.verdicts[i]);
  return text;
}

void print_row(std::ostream& out, const Outcome& outcome) {
  const std::string range = formatted("%.0f-%.0f", outcome.ns.min, outcome.ns.max);
  const std::string apart =
      outcome.shipped_ns ? formatted("%.0f", *outcome.shipped_ns) : std::string("-");
  out << formatted(
      "  %-56s %6.1f %11s %7.2f %8s   %s\n", outcome.what.title.c_str(), outcome.ns.median,
      range.c_str(), outcome.ratio.median, apart.c_str(),
      (std::string(reason_word(outcome.what.reason)) + ": " + verdict_text(outcome)).c_str());
}

nlohmann::ordered_json spread_json(const Spread& spread) {
  return {{"median", spread.median}, {"min", spread.min}, {"max", spread.max}};
}

nlohmann::ordered_json case_json(const Outcome& outcome) {
  nlohmann::ordered_json made;
  made["title"] = outcome.what.title;
  made["hook"] = hook_word(outcome.what.hook);
  made["ns"] = outcome.ns.median;
  made["ratio"] = outcome.ratio.median;
  made["ns_spread"] = spread_json(outcome.ns);
  made["ratio_spread"] = spread_json(outcome.ratio);
  made["floor_ns"] = outcome.floor_ns;
  made["core_ns"] = outcome.core_ns;
  made["restore_ns"] = outcome.restore_ns;
  if (outcome.shipped_ns) made["shipped_ns"] = *outcome.shipped_ns;
  made["flows"] = outcome.what.flows;
  made["packets"] = outcome.packets;
  made["reason"] = reason_word(outcome.what.reason);
  made["verdicts"] = {{"pass", outcome.verdicts[BENCH_PASS]},
                      {"drop", outcome.verdicts[BENCH_DROP]},
                      {"forward", outcome.verdicts[BENCH_FORWARD]},
                      {"other", outcome.verdicts[BENCH_OTHER]}};
  return made;
}

}  // namespace

void print_table(std::ostream& out, const Report& report) {
  out << formatted("%s, Linux %s, CPU %d of %u, load %.1f, commit %s, %u rounds\n",
                   report.machine.cpu.c_str(), report.machine.kernel.c_str(), report.cpu,
                   report.machine.cpus, report.machine.load,
                   report.commit.empty() ? "unknown" : report.commit.c_str(), report.rounds);
  out << formatted("floor: XDP %.1f ns, tc %.1f ns a packet (a program that only passes)\n",
                   floor_of(report, true), floor_of(report, false));
  for (const flare_hook hook : {FLARE_HOOK_XDP, FLARE_HOOK_TC_INGRESS, FLARE_HOOK_TC_EGRESS}) {
    out << formatted("\n%-58s %6s %11s %7s %8s   %s\n", heading(hook), "ns", "min-max", "x floor",
                     "shipped", "reason and verdicts");
    for (const Outcome& outcome : report.outcomes)
      if (outcome.what.hook == hook) print_row(out, outcome);
  }
  if (!report.agent.empty()) out << "\nagent, wall clock\n";
  for (const AgentCost& cost : report.agent)
    out << formatted("  %-56s %12.2f us\n", cost.title.c_str(), cost.ns / 1000);
}

void write_json(const std::filesystem::path& path, const Report& report) {
  nlohmann::ordered_json made;
  made["target"] = "bench";
  made["format"] = 1;
  made["machine"] = {{"cpu", report.machine.cpu},
                     {"kernel", report.machine.kernel},
                     {"cpus", report.machine.cpus},
                     {"load", report.machine.load}};
  made["commit"] = report.commit;
  made["taken_unix_s"] = std::chrono::duration_cast<std::chrono::seconds>(
                             std::chrono::system_clock::now().time_since_epoch())
                             .count();
  made["rounds"] = report.rounds;
  made["cpu"] = report.cpu;
  made["realtime"] = report.precedence;
  made["floor_ns"] = floor_of(report, true);
  made["tc_floor_ns"] = floor_of(report, false);
  made["cases"] = nlohmann::ordered_json::object();
  for (const Outcome& outcome : report.outcomes)
    made["cases"][outcome.what.key] = case_json(outcome);
  made["agent"] = nlohmann::ordered_json::object();
  for (const AgentCost& cost : report.agent)
    made["agent"][cost.key] = {{"title", cost.title}, {"ns", cost.ns}, {"runs", cost.runs}};

  std::error_code ignored;
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), ignored);
  std::ofstream file(path);
  file << made.dump(2) << '\n';
  if (!file.flush()) throw std::runtime_error("cannot write " + path.string());
}

}  // namespace flare::bench
