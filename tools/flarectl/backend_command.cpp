// flarectl backend list|drain|undrain: the addresses behind the services.
// add and remove stand in endpoint_command.cpp.
#include <iostream>
#include <map>
#include <optional>
#include <sstream>
#include <tuple>

#include "flarectl/agent_client.h"
#include "flarectl/commands.h"
#include "flarectl/table.h"
#include "flarectl/units.h"
#include "flarectl/view.h"

namespace flare::ctl {
namespace {

struct ListOptions {
  std::string service;
};
struct DrainOptions {
  std::string service;
  std::string backend;
  std::optional<std::uint64_t> generation;
};

/// By service, tier and backend: what flared tells of it.
using Told = std::map<std::tuple<std::string, std::string, std::string>, Json>;

/// Empty where flared does not answer: what the maps say stands without it.
Json ask(const Context& context, const char* command, const std::string& service) {
  Json request{{"command", command}};
  if (!service.empty()) request["service"] = service;
  const AgentAnswer answer = ask_agent(context, request, 2);
  if (answer.kind != AgentAnswer::Kind::kDone || !answer.body.contains("new")) return {};
  return answer.body["new"];
}

/// Those that are not simply up.
Told health_of(const Json& answer) {
  Told health;
  if (!answer.is_object()) return health;
  for (const Json& one : answer.value("backends", Json::array())) {
    health[{one.value("service", ""), one.value("tier", ""), one.value("backend", "")}] = one;
  }
  return health;
}

/// What they can do, and whose word put them there.
Told endpoints_of(const Json& answer) {
  Told endpoints;
  if (!answer.is_object()) return endpoints;
  for (const Json& service : answer.value("services", Json::array())) {
    for (const Json& one : service.value("backends", Json::array())) {
      endpoints[{service.value("service", ""), one.value("tier", ""), one.value("backend", "")}] =
          one;
    }
  }
  return endpoints;
}

/// A value of what is told of a backend; null where nothing is.
Json told_value(const Told& told, const Told::key_type& backend, const char* key) {
  const auto found = told.find(backend);
  return found == told.end() ? Json() : found->second.value(key, Json());
}

std::string cell_text(const Json& value) {
  if (value.is_number()) {
    std::ostringstream text;
    text << value.get<double>();
    return text.str();
  }
  return value.is_string() ? value.get<std::string>() : "";
}

/// "down for 12 s: check: Connection refused".
std::string health_text(const Json& health) {
  if (health.is_null()) return "";
  std::string text = health.value("health", "");
  if (health["since_s"].is_number()) {
    text += " for " + human_time(static_cast<std::uint64_t>(health["since_s"].get<double>() * 1e9));
  }
  const std::string reason = health.value("reason", "");
  return reason.empty() ? text : text + ": " + reason;
}

int list(const Context& context, const ListOptions& options) {
  auto maps = open_maps(context);
  if (!maps) return kMaps;
  int code = kOk;
  std::optional<ServiceEntry> only;
  if (!options.service.empty()) {
    only = find_service(*maps, options.service, &code);
    if (!only) return code;
  }
  auto services = maps->service_entries();
  if (!services) return fail(kMaps, services.error().message());
  auto backends = maps->backend_entries();
  if (!backends) return fail(kMaps, backends.error().message());
  auto names = service_names(*services);
  const Json answer = ask(context, "health", options.service);
  const Told health = health_of(answer);
  // Where flared does not answer once, it is not waited for again.
  const Told endpoints =
      endpoints_of(answer.is_null() ? answer : ask(context, "endpoints", options.service));
  Json list = Json::array();
  Table table({{"SERVICE"},
               {"BACKEND"},
               {"TIER"},
               {"STATE"},
               {"WEIGHT", Align::kRight},
               {"WORKERS", Align::kRight},
               {"CAPACITY", Align::kRight},
               {"SOURCE"},
               {"IN-FLIGHT", Align::kRight},
               {"ACTIVE", Align::kRight},
               {"NEW", Align::kRight},
               {"REFUSED", Align::kRight},
               {"CLOSED", Align::kRight},
               {"PACKETS-IN", Align::kRight},
               {"BYTES-IN", Align::kRight},
               {"PACKETS-OUT", Align::kRight},
               {"BYTES-OUT", Align::kRight},
               {"RESETS", Align::kRight},
               {"HEALTH"}});
  for (const Maps::BackendEntry& entry : *backends) {
    const flare_backend& backend = entry.backend;
    if (only && backend.service_id != only->service.id) continue;
    const flare_backend_counters totals = maps->backend_totals(entry.id);
    const flare_traffic& traffic = totals.traffic;
    const flare_backend_load load = maps->backend_load_total(entry.id);
    const bool local = (backend.flags & FLARE_BACKEND_LOCAL) != 0;
    auto name = names.find(backend.service_id);
    std::string service = name == names.end() ? "?" : name->second;
    std::string address = endpoint_text(backend.addr, backend.port);
    const Told::key_type key{service, std::string(tier_word(backend.tier)), address};
    const auto found = health.find(key);
    const Json workers = told_value(endpoints, key, "workers");
    const Json capacity = told_value(endpoints, key, "capacity_rps");
    const Json source = told_value(endpoints, key, "source");
    const Json thought = found == health.end() ? Json() : found->second;
    list.push_back({{"service", service},
                    {"backend", address},
                    {"id", entry.id},
                    {"generation", backend.generation},
                    {"tier", tier_word(backend.tier)},
                    {"state", backend_state_word(backend.state)},
                    {"weight", backend.weight},
                    {"workers", workers},
                    {"capacity_rps", capacity},
                    {"source", source},
                    {"local", local},
                    {"in_flight", load.in_flight},
                    {"active", load.active},
                    {"accepted", totals.accepted},
                    {"refused", totals.refused},
                    {"health", thought},
                    {"traffic", traffic_json(traffic)}});
    bool active = backend.state == FLARE_BACKEND_ACTIVE;
    table.add(
        {service, address + (local ? " (local)" : ""), std::string(tier_word(backend.tier)),
         Cell(std::string(backend_state_word(backend.state)), active ? Tone::kGood : Tone::kWarn),
         std::to_string(backend.weight), cell_text(workers), cell_text(capacity), cell_text(source),
         human_count(load.in_flight), human_count(load.active), human_count(traffic.flows_new),
         Cell(human_count(totals.refused), totals.refused > 0 ? Tone::kWarn : Tone::kPlain),
         human_count(traffic.flows_closed), human_count(traffic.packets_in),
         human_bytes(traffic.bytes_in), human_count(traffic.packets_out),
         human_bytes(traffic.bytes_out), human_count(traffic.resets_in + traffic.resets_out),
         health_text(thought)});
  }
  if (context.json) {
    print_json("backend list", {{"backends", list}});
  } else if (table.empty()) {
    std::cerr << "no backend is configured\n";
  } else {
    table.print(std::cout, context);
  }
  return kOk;
}

int ask_drain(const Context& context, const char* command, const char* shown,
              const DrainOptions& options) {
  if (!Endpoint::parse(options.backend)) {
    return fail(kUsage, "'" + options.backend +
                            "' is no address with port, such as 192.0.2.1:80 or [2001:db8::1]:80");
  }
  Json request{{"command", command}, {"service", options.service}, {"backend", options.backend}};
  if (options.generation) request["generation"] = *options.generation;
  return ask_and_print(context, shown, request);
}

int drain(const Context& context, const DrainOptions& options) {
  return ask_drain(context, "backend-drain", "backend drain", options);
}
int undrain(const Context& context, const DrainOptions& options) {
  return ask_drain(context, "backend-undrain", "backend undrain", options);
}

template <typename Run>
void add_drain(CLI::App& noun, Context& context, const char* word, const char* help, Run run) {
  CLI::App& command = *noun.add_subcommand(word, help);
  auto& options = command_options<DrainOptions>(command, context, run);
  command.add_option("SERVICE", options.service, "the service's name")->required();
  command.add_option("BACKEND", options.backend, "ADDR:PORT of the backend")->required();
  command.add_option("--generation", options.generation, "the control plane's count")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
}

}  // namespace

void add_backend(CLI::App& app, Context& context) {
  CLI::App& noun = *app.add_subcommand("backend", "the addresses behind the services");
  noun.require_subcommand(1);
  CLI::App& command = *noun.add_subcommand("list", "all backends, a line each")->alias("ls");
  auto& options = command_options<ListOptions>(command, context, list);
  command.add_option("--service", options.service, "only of this service")->type_name("NAME");
  add_drain(noun, context, "drain", "no new flows for a backend; open ones go on (by flared)",
            drain);
  add_drain(noun, context, "undrain", "new flows for a drained backend again (by flared)", undrain);
  add_endpoint_verbs(noun, context);
}

}  // namespace flare::ctl
