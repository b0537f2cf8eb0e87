// What a placement needs and what it does not have; what flows reach a service by.
#include <algorithm>
#include <set>

#include "discovery/check_words.h"
#include "model/words.h"

namespace flare {
namespace {

std::string with_placement(const ServiceConfig& service) {
  return "with placement " + std::string(placement_word(service.placement));
}

void check_vm(const Draft& draft, std::size_t i, Problems& problems) {
  const ServiceConfig& service = draft.config.services[i];
  const TierPlaces& vm = draft.services[i].tier[FLARE_TIER_VM];
  if (service.placement == FLARE_PLACEMENT_RECEIVER) {
    if (!vm.given) return;
    problems.refuse(vm.list, service_key(i, "vm"),
                    "VM backends with placement receiver, whose VM tier is this host",
                    "no vm, or placement balancer or sender");
  } else if (!vm.is_list) {
    problems.refuse(vm.list, service_key(i, "vm"), "no VM backend " + with_placement(service),
                    "at least one VM backend, [] where a control plane adds them, or placement "
                    "receiver");
  }
}

void check_translation(const Draft& draft, std::size_t i, Problems& problems) {
  const ServiceConfig& service = draft.config.services[i];
  const ServicePlaces& places = draft.services[i];
  if (places.snat_mode.line != 0 && service.placement != FLARE_PLACEMENT_BALANCER) {
    problems.refuse(places.snat_mode, service_key(i, "snat_mode"),
                    "snat_mode " + with_placement(service), "snat_mode with placement balancer");
  }
  if (!places.snat.empty() && service.placement == FLARE_PLACEMENT_SENDER) {
    problems.refuse(places.snat.front(), service_key(i, "snat"),
                    "addresses with placement sender, whose flows keep their client's",
                    "no snat, or placement receiver or balancer");
  }
  if (service.move.idle && service.placement != FLARE_PLACEMENT_RECEIVER) {
    problems.refuse(places.move_idle, service_key(i, "move_idle"),
                    "resets of idle connections " + with_placement(service) +
                        ", whose VM tier's sockets are on other hosts",
                    "off, or placement receiver");
  }
}

void check_chain(const Draft& draft, std::size_t i, Problems& problems) {
  const ServiceConfig& service = draft.config.services[i];
  if (service.chain == FLARE_CHAIN_RETURN || !draft.config.serverless_sources.empty()) return;
  problems.refuse(draft.services[i].chain, service_key(i, "chain"),
                  std::string("chain ") + (service.chain == FLARE_CHAIN_STAY ? "stay" : "vm") +
                      " without serverless_sources",
                  "return, or serverless_sources that say where such flows come from");
}

void check_health(const Draft& draft, std::size_t i, Problems& problems) {
  const HealthConfig& health = draft.config.services[i].health;
  const ServicePlaces& places = draft.services[i];
  if (health.timeout > health.interval) {
    problems.refuse(places.health_timeout, service_key(i, "health.timeout"),
                    std::to_string(health.timeout.count()) + "ms",
                    "at most health.interval (" + std::to_string(health.interval.count()) + "ms)");
  }
  if (places.health_http.line != 0 && health.check != HealthConfig::Check::kHttp) {
    problems.refuse(places.health_http, service_key(i, "health"),
                    "path, host or status without check: http", "them with check: http alone");
  }
}

void check_interfaces(const Draft& draft, Problems& problems) {
  std::set<std::string> names;
  std::set<std::string> patterns;
  for (std::size_t i = 0; i < draft.config.interfaces.size(); ++i) {
    const InterfaceConfig& interface = draft.config.interfaces[i];
    const bool named = !interface.name.empty();
    const std::string& text = named ? interface.name : interface.match;
    if (text.empty() || (named ? names : patterns).insert(text).second) continue;
    problems.refuse(
        draft.interfaces[i], "interfaces[" + std::to_string(i) + "]." + (named ? "name" : "match"),
        in_quotes(text) + " a second time", named ? "each interface once" : "each pattern once");
  }
}

/// Every service needs a way that its packets come by.
void check_ways(const Draft& draft, Problems& problems) {
  const auto& services = draft.config.services;
  const auto is_sender = [](const ServiceConfig& service) {
    return service.placement == FLARE_PLACEMENT_SENDER;
  };
  const bool by_cgroups = !draft.config.cgroups.empty() && !services.empty() &&
                          std::all_of(services.begin(), services.end(), is_sender);
  if (draft.config.interfaces.empty() && !by_cgroups && problems.empty()) {
    problems.refuse({}, "interfaces", "no interface",
                    "at least one network interface, or cgroups where every service has placement "
                    "sender");
  }
  if (!draft.cgroups.empty() && std::none_of(services.begin(), services.end(), is_sender)) {
    problems.refuse(draft.cgroups.front(), "cgroups", "cgroups without a service that is a sender",
                    "no cgroups, or a service with placement sender");
  }
}

template <typename Value>
void check_once(const std::vector<Value>& values, const std::vector<Place>& places,
                std::string_view key, std::string (*text)(const Value&), Problems& problems) {
  for (std::size_t i = 1; i < values.size(); ++i) {
    const auto end = values.begin() + static_cast<std::ptrdiff_t>(i);
    if (std::find(values.begin(), end, values[i]) == end) continue;
    problems.refuse(places[i], std::string(key) + "[" + std::to_string(i) + "]",
                    text(values[i]) + " a second time", "each once");
  }
}

}  // namespace

void check_placement(const Draft& draft, std::size_t i, Problems& problems) {
  if (draft.services[i].has_placement) {
    check_vm(draft, i, problems);
    check_translation(draft, i, problems);
  }
  check_chain(draft, i, problems);
  check_health(draft, i, problems);
}

void check_reach(const Draft& draft, Problems& problems) {
  check_ways(draft, problems);
  check_interfaces(draft, problems);
  const auto& sources = draft.config.serverless_sources;
  check_once<Prefix>(
      sources, draft.serverless_sources, "serverless_sources",
      [](const Prefix& prefix) { return prefix.text(); }, problems);
  check_once<std::filesystem::path>(
      draft.config.cgroups, draft.cgroups, "cgroups",
      [](const std::filesystem::path& path) { return in_quotes(path.string()); }, problems);
  if (sources.size() > FLARE_CHAIN_SOURCES_MAX) {
    problems.refuse(draft.serverless_sources[FLARE_CHAIN_SOURCES_MAX], "serverless_sources",
                    std::to_string(sources.size()) + " prefixes",
                    "at most " + std::to_string(FLARE_CHAIN_SOURCES_MAX));
  }
}

}  // namespace flare
