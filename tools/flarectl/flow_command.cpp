// flarectl flow list|count: the translated flows, those that spilled and those of the VM tier.
#include <iostream>
#include <map>

#include "flarectl/commands.h"
#include "flarectl/flow_view.h"
#include "flarectl/table.h"
#include "flarectl/units.h"

namespace flare::ctl {
namespace {

struct Options {
  std::string service;
  std::string backend;
  std::uint32_t limit = 100;
};

/// Which flows are asked for.
class Filter {
 public:
  /// Sets `*code` and says why where a name is unknown or an address is none.
  static std::optional<Filter> make(const Maps& maps, const Options& options, int* code) {
    Filter filter;
    if (!options.service.empty()) {
      auto service = find_service(maps, options.service, code);
      if (!service) return std::nullopt;
      filter.service_id_ = service->service.id;
    }
    if (!options.backend.empty()) {
      filter.backend_ = Endpoint::parse(options.backend);
      if (!filter.backend_) {
        *code = fail(kUsage, "'" + options.backend + "' is no address with port");
        return std::nullopt;
      }
    }
    return filter;
  }
  bool takes(const FlowView& flow) const {
    if (service_id_ && flow.forward.service_id != *service_id_) return false;
    return !backend_ || endpoint_of(flow.forward.peer.src, flow.forward.peer.sport) == *backend_;
  }

 private:
  std::optional<std::uint32_t> service_id_;
  std::optional<Endpoint> backend_;
};

struct FlowText {
  std::string client, frontend, snat, backend;
};

FlowText text_of(const FlowView& flow) {
  const flare_flow_key& peer = flow.forward.peer;
  return {endpoint_text(flow.client.src, flow.client.sport),
          endpoint_text(flow.client.dst, flow.client.dport), endpoint_text(peer.dst, peer.dport),
          endpoint_text(peer.src, peer.sport)};
}

/// Why it was spilled; a flow of the VM tier was not.
Json cause_json(const FlowView& flow) {
  if (flow.forward.tier == FLARE_TIER_VM) return nullptr;
  return spill_cause_word(flow.forward.cause);
}

std::string cause_text(const FlowView& flow) {
  if (flow.forward.tier == FLARE_TIER_VM) return "-";
  return std::string(spill_cause_word(flow.forward.cause));
}

Json flow_json(const FlowView& flow, const std::string& service, std::uint64_t now) {
  FlowText text = text_of(flow);
  flare_flow none{};
  const flare_flow& reverse = flow.reverse ? *flow.reverse : none;
  std::uint64_t left = flow.age.expires_ns > now ? flow.age.expires_ns - now : 0;
  return {{"service", service},
          {"protocol", protocol_text(flow.client.proto)},
          {"client", text.client},
          {"frontend", text.frontend},
          {"snat", text.snat},
          {"backend", text.backend},
          {"backend_id", flow.forward.backend_id},
          {"state", flow.reverse ? flow_state_word(flow.age.state) : "half"},
          {"tier", tier_word(flow.forward.tier)},
          {"cause", cause_json(flow)},
          {"to_stack", flow.forward.to_stack != 0},
          {"age_ns", now - flow.forward.created_ns},
          {"idle_ns", now > flow.age.used_ns ? now - flow.age.used_ns : 0},
          {"expires_in_ns", left},
          {"packets_in", flow.forward.packets},
          {"bytes_in", flow.forward.bytes},
          {"packets_out", reverse.packets},
          {"bytes_out", reverse.bytes}};
}

std::vector<Cell> flow_row(const FlowView& flow, const std::string& service, std::uint64_t now) {
  FlowText text = text_of(flow);
  flare_flow none{};
  const flare_flow& reverse = flow.reverse ? *flow.reverse : none;
  return {
      service,
      protocol_text(flow.client.proto),
      text.client,
      text.snat,
      text.backend,
      std::string(tier_word(flow.forward.tier)),
      flow.reverse ? Cell(std::string(flow_state_word(flow.age.state))) : Cell("half", Tone::kBad),
      cause_text(flow),
      human_time(now - flow.forward.created_ns),
      human_time(now > flow.age.used_ns ? now - flow.age.used_ns : 0),
      human_bytes(flow.forward.bytes),
      human_bytes(reverse.bytes)};
}

int list(const Context& context, const Options& options) {
  auto maps = open_maps(context);
  if (!maps) return kMaps;
  int code = kOk;
  auto filter = Filter::make(*maps, options, &code);
  if (!filter) return code;
  auto services = maps->service_entries();
  if (!services) return fail(kMaps, services.error().message());
  auto names = service_names(*services);
  Json flows = Json::array();
  std::uint64_t shown = 0;
  bool more = false;
  Table table({{"SERVICE"},
               {"PROTO"},
               {"CLIENT"},
               {"SNAT"},
               {"BACKEND"},
               {"TIER"},
               {"STATE"},
               {"CAUSE"},
               {"AGE", Align::kRight},
               {"IDLE", Align::kRight},
               {"BYTES-IN", Align::kRight},
               {"BYTES-OUT", Align::kRight}});
  std::uint64_t now = now_ns();
  auto walked = for_each_flow(*maps, [&](const FlowView& flow) {
    if (!filter->takes(flow)) return true;
    more = options.limit != 0 && shown >= options.limit;
    if (more) return false;
    ++shown;
    auto name = names.find(flow.forward.service_id);
    std::string service = name == names.end() ? "?" : name->second;
    if (context.json) flows.push_back(flow_json(flow, service, now));
    if (!context.json) table.add(flow_row(flow, service, now));
    return true;
  });
  if (!walked) return fail(kMaps, walked.error().message());
  if (context.json) {
    print_json("flow list", {{"flows", flows}, {"truncated", more}});
    return kOk;
  }
  if (table.empty()) std::cerr << "no translated flow\n";
  if (!table.empty()) table.print(std::cout, context);
  if (more) std::cerr << "there are more; --limit 0 shows all, flow count counts them\n";
  return kOk;
}

/// Flows of one service and backend, by state.
struct Count {
  std::map<std::string, std::uint64_t> by_state;
  std::uint64_t total = 0;
};

int count(const Context& context, const Options& options) {
  auto maps = open_maps(context);
  if (!maps) return kMaps;
  int code = kOk;
  auto filter = Filter::make(*maps, options, &code);
  if (!filter) return code;
  auto services = maps->service_entries();
  if (!services) return fail(kMaps, services.error().message());
  auto names = service_names(*services);
  std::map<std::pair<std::string, std::string>, Count> counts;
  std::uint64_t total = 0;
  auto walked = for_each_flow(*maps, [&](const FlowView& flow) {
    if (!filter->takes(flow)) return true;
    auto name = names.find(flow.forward.service_id);
    Count& entry = counts[{name == names.end() ? "?" : name->second, text_of(flow).backend}];
    ++entry.by_state[flow.reverse ? std::string(flow_state_word(flow.age.state)) : "half"];
    ++entry.total;
    ++total;
    return true;
  });
  if (!walked) return fail(kMaps, walked.error().message());
  if (context.json) {
    Json groups = Json::array();
    for (const auto& [key, entry] : counts) {
      groups.push_back({{"service", key.first},
                        {"backend", key.second},
                        {"flows", entry.total},
                        {"by_state", entry.by_state}});
    }
    print_json(
        "flow count",
        {{"flows", total}, {"flows_max", maps->flows.max_entries() / 2}, {"groups", groups}});
    return kOk;
  }
  Table table({{"SERVICE"}, {"BACKEND"}, {"FLOWS", Align::kRight}, {"STATES"}});
  for (const auto& [key, entry] : counts) {
    std::string states;
    for (const auto& [state, number] : entry.by_state) {
      states += (states.empty() ? "" : ", ") + state + " " + human_count(number);
    }
    table.add({key.first, key.second, human_count(entry.total), states});
  }
  table.add(
      {"all", "", human_count(total), "of at most " + human_count(maps->flows.max_entries() / 2)});
  table.print(std::cout, context);
  return kOk;
}

template <typename Run>
Options& add_verb(CLI::App& noun, Context& context, const char* word, const char* help, Run run) {
  CLI::App& command = *noun.add_subcommand(word, help);
  auto& options = command_options<Options>(command, context, run);
  command.add_option("--service", options.service, "only of this service")->type_name("NAME");
  command.add_option("--backend", options.backend, "only to this backend")->type_name("ADDR:PORT");
  return options;
}

}  // namespace

Result<void> for_each_flow(const Maps& maps, const std::function<bool(const FlowView&)>& visit) {
  auto settings = maps.settings.lookup(0);
  for (const auto* map : {&maps.flows, &maps.embryos}) {
    MapCursor cursor;
    do {
      auto entries = map->next(cursor, 1024);
      if (!entries) return entries.error();
      for (const auto& entry : *entries) {
        if (entry.value.dir != FLARE_DIR_FORWARD) continue;
        FlowView flow{entry.key, entry.value, maps.flows.lookup(entry.value.peer), {}};
        if (!flow.reverse) flow.reverse = maps.embryos.lookup(entry.value.peer);
        flow.age = flow_age(flow.forward, flow.reverse ? &*flow.reverse : nullptr,
                            settings.value_or(flare_settings{}));
        if (!visit(flow)) return {};
      }
    } while (!cursor.at_start());
  }
  return {};
}

void add_flow(CLI::App& app, Context& context) {
  CLI::App& noun = *app.add_subcommand("flow", "the translated flows");
  noun.require_subcommand(1);
  auto& options = add_verb(noun, context, "list", "translated flows, a line each", list);
  noun.get_subcommand("list")->alias("ls");
  noun.get_subcommand("list")
      ->add_option("--limit", options.limit, "at most so many; 0 is all")
      ->capture_default_str()
      ->type_name("N");
  add_verb(noun, context, "count", "how many, by service, backend and state", count);
}

}  // namespace flare::ctl
