// flarectl spills: when each service's spill started and ended, and the numbers behind it.
#include <iostream>

#include "flarectl/commands.h"
#include "flarectl/spill_view.h"
#include "flarectl/table.h"
#include "flarectl/units.h"
#include "flarectl/view.h"

namespace flare::ctl {
namespace {

struct Options {
  std::string service;
};

void add_row(Table& table, const flare_spill_event& event, std::uint64_t now) {
  const bool ended = event.kind == FLARE_SPILL_EVENT_END;
  table.add({human_time(now > event.at_ns ? now - event.at_ns : 0), std::string(event.name),
             std::string(spill_event_word(event.kind)), spill_cause(event),
             human_rate(static_cast<double>(event.arrivals_mrps) / 1000),
             human_rate(static_cast<double>(event.capacity_mrps) / 1000),
             human_share(fraction_of(event.share)),
             std::to_string(static_cast<std::int64_t>(event.in_flight)),
             human_count(spill_flows(event) + (ended ? 0 : event.observed)),
             ended ? human_time(event.lasted_ns) : "-",
             ended ? human_usd(static_cast<double>(event.price_nanousd) / 1e9) : "-"});
}

int run(const Context& context, const Options& options) {
  auto maps = open_maps(context);
  if (!maps) return kMaps;
  auto history = maps->spill_history();
  if (!history) return fail(kMaps, history.error().message());
  std::erase_if(*history, [&options](const flare_spill_event& event) {
    return !options.service.empty() && options.service != event.name;
  });
  const std::uint64_t now = now_ns();
  if (context.json) {
    Json events = Json::array();
    for (const flare_spill_event& event : *history) events.push_back(spill_event_json(event, now));
    print_json("spills", {{"events", events}});
    return kOk;
  }
  Table table({{"AGO"},
               {"SERVICE"},
               {"EVENT"},
               {"CAUSE"},
               {"ARRIVALS", Align::kRight},
               {"CAPACITY", Align::kRight},
               {"SHARE", Align::kRight},
               {"IN-FLIGHT", Align::kRight},
               {"FLOWS", Align::kRight},
               {"LASTED", Align::kRight},
               {"PRICE", Align::kRight}});
  for (const flare_spill_event& event : *history) add_row(table, event, now);
  if (table.empty()) {
    std::cout << "no spill is remembered\n";
    return kOk;
  }
  table.print(std::cout, context);
  return kOk;
}

}  // namespace

void add_spills(CLI::App& app, Context& context) {
  CLI::App& command =
      *app.add_subcommand("spills", "when spills started and ended, and why; the last 256");
  auto& options = command_options<Options>(command, context, run);
  command.add_option("--service", options.service, "those of one service")->type_name("NAME");
}

}  // namespace flare::ctl
