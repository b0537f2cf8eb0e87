// flarectl backend add|remove and workers set: what a control plane tells flared, by hand.
#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>

#include "flarectl/agent_client.h"
#include "flarectl/commands.h"
#include "model/address.h"

namespace flare::ctl {
namespace {

struct AddOptions {
  std::string service;
  std::string backend;
  std::string tier = "vm";
  std::uint32_t weight = 1;
  std::optional<std::uint32_t> workers;
  std::optional<double> capacity_rps;
  std::optional<std::uint64_t> generation;
};
struct RemoveOptions {
  std::string service;
  std::string backend;
  std::optional<std::uint64_t> generation;
};
struct WorkersOptions {
  std::string service;
  std::string workers;       ///< a number or "auto"; empty: left as it is
  std::string capacity_rps;  ///< the same
  std::optional<std::uint64_t> generation;
};

/// Puts in what was given; what was not, flared decides.
template <typename Value>
void put(Json& request, const char* key, const std::optional<Value>& value) {
  if (value) request[key] = *value;
}

int no_endpoint(const std::string& text) {
  return fail(kUsage,
              "'" + text + "' is no address with port, such as 192.0.2.1:80 or [2001:db8::1]:80");
}

int add(const Context& context, const AddOptions& options) {
  if (!Endpoint::parse(options.backend)) return no_endpoint(options.backend);
  Json request{{"command", "backend-add"},
               {"service", options.service},
               {"tier", options.tier},
               {"backend", options.backend},
               {"weight", options.weight}};
  put(request, "workers", options.workers);
  put(request, "capacity_rps", options.capacity_rps);
  put(request, "generation", options.generation);
  return ask_and_print(context, "backend add", request);
}

int remove(const Context& context, const RemoveOptions& options) {
  if (!Endpoint::parse(options.backend)) return no_endpoint(options.backend);
  Json request{
      {"command", "backend-remove"}, {"service", options.service}, {"backend", options.backend}};
  put(request, "generation", options.generation);
  return ask_and_print(context, "backend remove", request);
}

/// A number of that type, or null for "auto"; nullopt for other text.
template <typename Value>
std::optional<Json> figure(const std::string& text) {
  if (text == "auto") return Json();
  Value value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return Json(value);
}

int set_workers(const Context& context, const WorkersOptions& options) {
  if (options.workers.empty() && options.capacity_rps.empty()) {
    return fail(kUsage, "workers set needs --workers, --capacity-rps or both");
  }
  Json request{{"command", "workers-set"}, {"service", options.service}};
  if (!options.workers.empty()) {
    const auto value = figure<std::uint32_t>(options.workers);
    if (!value) return fail(kUsage, "'" + options.workers + "' is no number of workers, nor auto");
    request["workers"] = *value;
  }
  if (!options.capacity_rps.empty()) {
    const auto value = figure<double>(options.capacity_rps);
    if (!value || (value->is_number() && !std::isfinite(value->get<double>()))) {
      return fail(kUsage, "'" + options.capacity_rps + "' is no number of requests, nor auto");
    }
    request["capacity_rps"] = *value;
  }
  put(request, "generation", options.generation);
  return ask_and_print(context, "workers set", request);
}

template <typename Options>
void add_generation(CLI::App& command, Options& options) {
  command
      .add_option("--generation", options.generation,
                  "the control plane's count; default: the next one")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
}

}  // namespace

void add_endpoint_verbs(CLI::App& backend, Context& context) {
  CLI::App& adding = *backend.add_subcommand("add", "add a backend, or change one (by flared)");
  auto& one = command_options<AddOptions>(adding, context, add);
  adding.add_option("SERVICE", one.service, "the service's name")->required();
  adding.add_option("BACKEND", one.backend, "ADDR:PORT of the backend")->required();
  adding.add_option("--tier", one.tier, "vm (default) or serverless")
      ->check(CLI::IsMember({"vm", "serverless"}))
      ->type_name("TIER");
  adding.add_option("--weight", one.weight, "relative; 0 takes no new flows (default 1)")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  adding.add_option("--workers", one.workers, "requests that it works on at once")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  adding.add_option("--capacity-rps", one.capacity_rps, "requests a second that it serves")
      ->check(CLI::NonNegativeNumber)
      ->type_name("RPS");
  add_generation(adding, one);

  CLI::App& removing =
      *backend.add_subcommand("remove", "take a backend away; its open flows go on (by flared)");
  auto& other = command_options<RemoveOptions>(removing, context, remove);
  removing.add_option("SERVICE", other.service, "the service's name")->required();
  removing.add_option("BACKEND", other.backend, "ADDR:PORT of the backend")->required();
  add_generation(removing, other);
}

void add_workers(CLI::App& app, Context& context) {
  CLI::App& noun = *app.add_subcommand("workers", "what the VM tier of a service can do");
  noun.require_subcommand(1);
  CLI::App& command =
      *noun.add_subcommand("set", "tell workers and capacity of a service (by flared)");
  auto& options = command_options<WorkersOptions>(command, context, set_workers);
  command.add_option("SERVICE", options.service, "the service's name")->required();
  command.add_option("--workers", options.workers, "requests at once; auto: as configured")
      ->type_name("N");
  command
      .add_option("--capacity-rps", options.capacity_rps, "requests a second; auto: as configured")
      ->type_name("RPS");
  add_generation(command, options);
}

}  // namespace flare::ctl
