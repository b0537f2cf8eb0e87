// flarectl counters: every packet of every hook by its reason, or the counts of one service; as
// totals, or with --rate and --watch as rates.
#include <unistd.h>

#include <array>
#include <chrono>
#include <iostream>
#include <thread>

#include "flarectl/commands.h"
#include "flarectl/service_view.h"
#include "flarectl/table.h"
#include "flarectl/units.h"

namespace flare::ctl {
namespace {

struct Options {
  std::string service;
  double watch_s = 0;
  bool rate = false;
};

/// The counts of one moment.
struct Sample {
  std::uint64_t at_ns = 0;
  flare_reason_counters reasons{};
  flare_service_counters service{};
};

/// One number of a sample with where it came from.
struct Line {
  std::string group;  ///< hook, tier or kind
  std::string name;
  std::string fate;  ///< of reasons only
  std::uint64_t count = 0;
  double per_second = 0;
  bool bytes = false;
};

constexpr std::array kFates{FLARE_FATE_PASS, FLARE_FATE_PUNT, FLARE_FATE_DROP, FLARE_FATE_ANSWER,
                            FLARE_FATE_FORWARD};

double rate_of(std::uint64_t now, std::uint64_t before, std::uint64_t elapsed_ns) {
  if (elapsed_ns == 0 || now < before) return 0;
  return static_cast<double>(now - before) * 1e9 / static_cast<double>(elapsed_ns);
}

std::vector<Line> reason_lines(const Sample& now, const Sample* before) {
  std::vector<Line> lines;
  std::uint64_t elapsed = before ? now.at_ns - before->at_ns : 0;
  for (std::uint32_t hook = 0; hook < FLARE_HOOKS_COUNT; ++hook) {
    for (std::uint32_t reason = 0; reason < FLARE_REASONS_COUNT; ++reason) {
      std::uint64_t count = now.reasons.packets[hook][reason];
      if (count == 0) continue;
      double per_second =
          before ? rate_of(count, before->reasons.packets[hook][reason], elapsed) : 0;
      lines.push_back({std::string(hook_word(hook)), std::string(reason_word(reason)),
                       std::string(fate_word(reason_fate(reason))), count, per_second});
    }
  }
  return lines;
}

/// Walks the named counts of a service: name, tier or kind, and where it stands.
template <typename Visit>
void for_each_service_count(const flare_service_counters& totals, Visit visit) {
  for (std::uint32_t tier = 0; tier < FLARE_TIERS_COUNT; ++tier) {
    const flare_traffic& traffic = totals.tier[tier];
    std::string group(tier_word(tier));
    visit(group, "flows-new", traffic.flows_new, false);
    visit(group, "flows-closed", traffic.flows_closed, false);
    visit(group, "packets-in", traffic.packets_in, false);
    visit(group, "bytes-in", traffic.bytes_in, true);
    visit(group, "packets-out", traffic.packets_out, false);
    visit(group, "bytes-out", traffic.bytes_out, true);
    visit(group, "resets-in", traffic.resets_in, false);
    visit(group, "resets-out", traffic.resets_out, false);
    visit(group, "requests", traffic.requests, false);
    visit(group, "answers", traffic.answers, false);
    visit(group, "abandoned", traffic.abandoned, false);
  }
  for (std::uint32_t i = 0; i < FLARE_SPILL_CAUSES_COUNT; ++i) {
    visit("spilled", std::string(spill_cause_word(i)), totals.spilled[i], false);
  }
  for (std::uint32_t i = 0; i < FLARE_SPILL_CAUSES_COUNT; ++i) {
    visit("observed", std::string(spill_cause_word(i)), totals.observed[i], false);
  }
  for (std::uint32_t i = 0; i < FLARE_REFUSALS_COUNT; ++i) {
    visit("refused", std::string(refusal_word(i)), totals.refused[i], false);
  }
  visit("other", "handshakes", totals.handshakes, false);
  visit("other", "port-probes", totals.port_probes, false);
  visit("other", "stale-decisions", totals.stale_decisions, false);
  visit("other", "busy", totals.busy, false);
  visit("other", "early-bucket", totals.early_bucket, false);
  visit("other", "resyncs", totals.resyncs, false);
  visit("other", "over-cap", totals.over_cap, false);
  for (std::uint32_t i = 0; i < FLARE_CLASSES_COUNT; ++i) {
    visit("connections", std::string(class_word(i)), totals.connections[i], false);
  }
  for (std::uint32_t tier = 0; tier < FLARE_TIERS_COUNT; ++tier) {
    const std::string group(tier_word(tier));
    visit(group, "pinned", totals.pinned[tier], false);
    for (std::uint32_t i = 0; i < FLARE_MEANS_COUNT; ++i) {
      visit(group, "moved-" + std::string(means_word(i)), totals.moved[tier][i], false);
    }
  }
}

std::vector<Line> service_lines(const Sample& now, const Sample* before) {
  std::vector<Line> lines;
  for_each_service_count(now.service, [&](const std::string& group, const std::string& name,
                                          std::uint64_t count, bool bytes) {
    lines.push_back({group, name, "", count, 0, bytes});
  });
  if (before == nullptr) return lines;
  std::size_t at = 0;
  for_each_service_count(
      before->service, [&](const std::string&, const std::string&, std::uint64_t count, bool) {
        lines[at].per_second = rate_of(lines[at].count, count, now.at_ns - before->at_ns);
        ++at;
      });
  return lines;
}

Sample take(const Maps& maps, const std::optional<ServiceEntry>& service) {
  Sample sample;
  sample.at_ns = now_ns();
  if (service) {
    sample.service = maps.service_totals(service->service.id);
  } else {
    sample.reasons = maps.reason_totals();
  }
  return sample;
}

std::uint64_t seen_at(const flare_reason_counters& reasons, std::uint32_t hook) {
  std::uint64_t sum = 0;
  for (std::uint64_t count : reasons.packets[hook]) sum += count;
  return sum;
}

std::uint64_t fate_at(const flare_reason_counters& reasons, std::uint32_t hook, flare_fate fate) {
  std::uint64_t sum = 0;
  for (std::uint32_t reason = 0; reason < FLARE_REASONS_COUNT; ++reason) {
    if (reason_fate(reason) == fate) sum += reasons.packets[hook][reason];
  }
  return sum;
}

Json line_json(const Line& line, bool rates) {
  Json object{{"name", line.name}, {"count", line.count}};
  if (!line.fate.empty()) object["fate"] = line.fate;
  if (rates) object["per_second"] = line.per_second;
  return object;
}

/// {"xdp": {"seen": 10, "by_fate": {...}, "reasons": [...]}, ...}
Json reasons_json(const Sample& now, const Sample* before) {
  Json hooks = Json::object();
  std::vector<Line> lines = reason_lines(now, before);
  for (std::uint32_t hook = 0; hook < FLARE_HOOKS_COUNT; ++hook) {
    Json fates = Json::object();
    for (flare_fate fate : kFates) {
      fates[std::string(fate_word(fate))] = fate_at(now.reasons, hook, fate);
    }
    Json reasons = Json::array();
    for (const Line& line : lines) {
      if (line.group == hook_word(hook)) reasons.push_back(line_json(line, before != nullptr));
    }
    hooks[std::string(hook_word(hook))] = {
        {"seen", seen_at(now.reasons, hook)}, {"by_fate", fates}, {"reasons", reasons}};
  }
  return {{"at_ns", now.at_ns}, {"hooks", hooks}};
}

Json service_json_of(const std::string& name, const Sample& now, const Sample* before) {
  Json groups = Json::object();
  for (const Line& line : service_lines(now, before)) {
    groups[line.group].push_back(line_json(line, before != nullptr));
  }
  return {{"at_ns", now.at_ns}, {"service", name}, {"counters", groups}};
}

void print_reasons(const Context& context, const Sample& now, const Sample* before) {
  std::vector<Column> columns{{"HOOK"}, {"REASON"}, {"FATE"}, {"PACKETS", Align::kRight}};
  if (before != nullptr) columns.push_back({"RATE", Align::kRight});
  Table table(columns);
  auto tone_of = [](const std::string& fate) {
    if (fate == "drop") return Tone::kBad;
    return fate == "forward" ? Tone::kGood : Tone::kPlain;
  };
  for (const Line& line : reason_lines(now, before)) {
    std::vector<Cell> row{line.group, line.name, Cell(line.fate, tone_of(line.fate)),
                          human_count(line.count)};
    if (before != nullptr) row.emplace_back(human_rate(line.per_second));
    table.add(std::move(row));
  }
  if (table.empty()) {
    std::cerr << "no packet has been seen yet\n";
    return;
  }
  table.print(std::cout, context);
  Table sums({{"HOOK"},
              {"SEEN", Align::kRight},
              {"PASSED", Align::kRight},
              {"PUNTED", Align::kRight},
              {"DROPPED", Align::kRight},
              {"ANSWERED", Align::kRight},
              {"FORWARDED", Align::kRight}});
  for (std::uint32_t hook = 0; hook < FLARE_HOOKS_COUNT; ++hook) {
    std::uint64_t seen = seen_at(now.reasons, hook);
    if (seen == 0) continue;
    std::vector<Cell> row{std::string(hook_word(hook)), human_count(seen)};
    for (flare_fate fate : kFates) {
      row.emplace_back(human_count(fate_at(now.reasons, hook, fate)));
    }
    sums.add(std::move(row));
  }
  std::cout << '\n';
  sums.print(std::cout, context);
}

void print_service_counts(const Context& context, const Sample& now, const Sample* before) {
  std::vector<Column> columns{{"KIND"}, {"COUNTER"}, {"TOTAL", Align::kRight}};
  if (before != nullptr) columns.push_back({"RATE", Align::kRight});
  Table table(columns);
  for (const Line& line : service_lines(now, before)) {
    if (line.count == 0) continue;
    std::vector<Cell> row{line.group, line.name,
                          line.bytes ? human_bytes(line.count) : human_count(line.count)};
    if (before != nullptr) {
      row.emplace_back(line.bytes ? human_bytes(static_cast<std::uint64_t>(line.per_second)) + "/s"
                                  : human_rate(line.per_second));
    }
    table.add(std::move(row));
  }
  if (table.empty()) {
    std::cerr << "this service has counted nothing yet\n";
    return;
  }
  table.print(std::cout, context);
}

void print(const Context& context, const std::optional<ServiceEntry>& service, const Sample& now,
           const Sample* before) {
  if (context.json && service) {
    print_json("counters", service_json_of(service->name, now, before));
  } else if (context.json) {
    print_json("counters", reasons_json(now, before));
  } else if (service) {
    print_service_counts(context, now, before);
  } else {
    print_reasons(context, now, before);
  }
}

void pause_for(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

int run(const Context& context, const Options& options) {
  auto maps = open_maps(context);
  if (!maps) return kMaps;
  std::optional<ServiceEntry> service;
  if (!options.service.empty()) {
    int code = kOk;
    service = find_service(*maps, options.service, &code);
    if (!service) return code;
  }
  bool watches = options.watch_s > 0;
  Sample before = take(*maps, service);
  if (!watches && !options.rate) {
    print(context, service, before, nullptr);
    return kOk;
  }
  bool on_terminal = !context.json && ::isatty(STDOUT_FILENO) == 1;
  do {
    pause_for(watches ? options.watch_s : 1.0);
    Sample now = take(*maps, service);
    if (watches && on_terminal) std::cout << "\033[H\033[2J";
    print(context, service, now, &before);
    if (watches && !on_terminal && !context.json) std::cout << std::endl;
    before = now;
  } while (watches && std::cout.good());
  return kOk;
}

}  // namespace

void add_counters(CLI::App& app, Context& context) {
  CLI::App& command = *app.add_subcommand(
      "counters", "what became of each packet and why; with --service, what one service did");
  auto& options = command_options<Options>(command, context, run);
  command.add_option("--service", options.service, "the counts of this service")->type_name("NAME");
  command.add_option("--watch", options.watch_s, "again every so many seconds, with rates")
      ->check(CLI::Range(0.1, 86400.0))
      ->type_name("SECONDS");
  command.add_flag("--rate", options.rate, "measure for a second and show rates");
}

}  // namespace flare::ctl
