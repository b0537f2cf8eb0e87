#include "discovery/cross_checks.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <tuple>

namespace flare {
namespace {

std::string key_of(std::size_t service, std::string_view field) {
  return "services[" + std::to_string(service) + "]." + std::string(field);
}

std::string key_of(std::size_t service, std::string_view list, std::size_t item,
                   std::string_view field) {
  return key_of(service, list) + "[" + std::to_string(item) + "]" +
         (field.empty() ? "" : "." + std::string(field));
}

std::string named(const ServiceConfig& service) { return "service " + in_quotes(service.name); }

std::string range_text(PortRange range) {
  return std::to_string(range.min) + "-" + std::to_string(range.max);
}

/// Addresses that replies of spilled flows come back to: given ones, else the frontend's.
std::vector<Address> snat_of(const ServiceConfig& service) {
  if (!service.snat.empty()) return service.snat;
  if (service.frontend.port == 0) return {};
  return {service.frontend.address};
}

bool contains(const std::vector<Address>& list, const Address& address) {
  return std::find(list.begin(), list.end(), address) != list.end();
}

void check_interfaces(const Draft& draft, Problems& problems) {
  std::set<std::string> seen;
  for (std::size_t i = 0; i < draft.config.interfaces.size(); ++i) {
    const std::string& name = draft.config.interfaces[i].name;
    if (name.empty() || seen.insert(name).second) continue;
    problems.refuse(draft.interfaces[i], "interfaces[" + std::to_string(i) + "].name",
                    in_quotes(name) + " a second time", "each interface once");
  }
}

void check_identities(const Draft& draft, Problems& problems) {
  std::map<std::string, std::size_t> names;
  std::map<std::tuple<Endpoint, Protocol>, std::size_t> frontends;
  for (std::size_t i = 0; i < draft.config.services.size(); ++i) {
    const ServiceConfig& service = draft.config.services[i];
    if (!service.name.empty()) {
      const auto [first, fresh] = names.emplace(service.name, i);
      if (!fresh) {
        problems.refuse(draft.services[i].name, key_of(i, "name"),
                        in_quotes(service.name) + ", the name of services[" +
                            std::to_string(first->second) + "] too",
                        "a name of its own");
      }
    }
    if (service.frontend.port == 0) continue;
    const auto [first, fresh] =
        frontends.emplace(std::tuple(service.frontend, service.protocol), i);
    if (fresh) continue;
    problems.refuse(draft.services[i].frontend, key_of(i, "frontend"),
                    service.frontend.text() + "/" + std::string(to_text(service.protocol)) +
                        " of " + named(service) + ", the frontend of " +
                        named(draft.config.services[first->second]) + " too",
                    "an address, port and protocol of its own");
  }
}

void check_families(const Draft& draft, std::size_t i, Problems& problems) {
  const ServiceConfig& service = draft.config.services[i];
  if (service.frontend.port == 0) return;
  const bool v4 = service.frontend.address.is_v4();
  const std::string accepted =
      std::string(v4 ? "IPv4" : "IPv6") + ", as the frontend " + service.frontend.text();
  for (std::size_t b = 0; b < service.serverless.size(); ++b) {
    const Endpoint& endpoint = service.serverless[b].endpoint;
    if (endpoint.port == 0 || endpoint.address.is_v4() == v4) continue;
    problems.refuse(draft.services[i].backends[b], key_of(i, "serverless", b, "endpoint"),
                    endpoint.text() + " of the other family", accepted);
  }
  for (std::size_t s = 0; s < service.snat.size(); ++s) {
    if (service.snat[s].is_v4() == v4) continue;
    problems.refuse(draft.services[i].snat[s], key_of(i, "snat", s, ""),
                    service.snat[s].text() + " of the other family", accepted);
  }
}

void check_snat(const Draft& draft, std::size_t i, Problems& problems) {
  const ServiceConfig& service = draft.config.services[i];
  if (service.snat.size() > FLARE_SNAT_ADDRS_MAX) {
    problems.refuse(draft.services[i].snat[FLARE_SNAT_ADDRS_MAX], key_of(i, "snat"),
                    std::to_string(service.snat.size()) + " addresses",
                    "at most " + std::to_string(FLARE_SNAT_ADDRS_MAX));
  }
  for (std::size_t s = 1; s < service.snat.size(); ++s) {
    const auto first = std::find(service.snat.begin(), service.snat.end(), service.snat[s]);
    if (static_cast<std::size_t>(first - service.snat.begin()) == s) continue;
    problems.refuse(draft.services[i].snat[s], key_of(i, "snat", s, ""),
                    service.snat[s].text() + " a second time", "each address once");
  }
}

/// A backend must be elsewhere: a flow sent to an address of this host would come back to us.
void check_backend_addresses(const Draft& draft, std::size_t i, Problems& problems) {
  const ServiceConfig& service = draft.config.services[i];
  std::map<Endpoint, std::size_t> seen;
  for (std::size_t b = 0; b < service.serverless.size(); ++b) {
    const Endpoint& endpoint = service.serverless[b].endpoint;
    if (endpoint.port == 0) continue;
    const Place place = draft.services[i].backends[b];
    const std::string key = key_of(i, "serverless", b, "endpoint");
    if (!seen.emplace(endpoint, b).second) {
      problems.refuse(place, key, endpoint.text() + " a second time", "each backend once");
      continue;
    }
    for (const ServiceConfig& other : draft.config.services) {
      const bool frontend = other.frontend.port != 0 && other.frontend.address == endpoint.address;
      if (!frontend && !contains(other.snat, endpoint.address)) continue;
      problems.refuse(place, key,
                      endpoint.text() + ", whose address is " +
                          (frontend ? "the frontend of " : "a SNAT address of ") + named(other),
                      "an address of another host");
      break;
    }
  }
}

/// Workers are learned from requests and the time that each takes, which packets must show.
void check_counting(const Draft& draft, std::size_t i, Problems& problems) {
  const ServiceConfig& service = draft.config.services[i];
  const ServicePlaces& places = draft.services[i];
  if (service.counting == FLARE_COUNTING_AUTO) return;
  const std::string counting =
      service.counting == FLARE_COUNTING_REPORTED ? "reported" : "connections";
  if (service.protocol == Protocol::kUdp) {
    problems.refuse(places.counting, key_of(i, "counting"),
                    "counting " + counting + " for UDP, whose flows are counted", "auto");
  } else if (service.policy == FLARE_POLICY_CAP && places.workers.line == 0) {
    problems.refuse(places.counting, key_of(i, "counting"),
                    "counting " + counting + " with policy cap and without workers",
                    "workers, which are learned with counting: auto alone; or another policy");
  }
}

void check_policy(const Draft& draft, std::size_t i, Problems& problems) {
  const ServiceConfig& service = draft.config.services[i];
  const ServicePlaces& places = draft.services[i];
  const bool spills = service.policy != FLARE_POLICY_OBSERVE;
  const bool cap = service.policy == FLARE_POLICY_CAP;
  if (service.policy == FLARE_POLICY_FORMULA && places.capacity.line == 0) {
    problems.refuse(places.policy, key_of(i, "policy"), "formula without capacity_rps",
                    "formula with capacity_rps, or observe");
  }
  if (service.protocol == Protocol::kUdp && (cap || service.workers > 0)) {
    problems.refuse(cap ? places.policy : places.workers, key_of(i, cap ? "policy" : "workers"),
                    "a cap on requests for UDP, whose requests are not counted",
                    "formula or observe, without workers");
  }
  if (spills && !places.has_serverless) {
    const std::string policy = !cap ? "formula" : places.has_policy ? "cap" : "cap, the default";
    problems.refuse(places.serverless, key_of(i, "serverless"),
                    "no backend to spill to with policy " + policy,
                    "at least one serverless backend, or policy: observe");
  }
  if (!spills && service.min_share > 0) {
    problems.refuse(places.min_share, key_of(i, "min_share"),
                    "a floor with policy observe, which spills nothing",
                    "0, or policy formula or cap");
  }
  const bool weightless = std::all_of(service.serverless.begin(), service.serverless.end(),
                                      [](const BackendConfig& b) { return b.weight == 0; });
  if (!service.serverless.empty() && weightless) {
    problems.refuse(places.serverless, key_of(i, "serverless"), "weight 0 for every backend",
                    "a weight above 0 for at least one");
  }
}

/// Connections are told to end where an answer is seen.
void check_move(const Draft& draft, std::size_t i, Problems& problems) {
  const ServiceConfig& service = draft.config.services[i];
  if (service.move.idle && service.move.how == FLARE_MOVE_NONE) {
    problems.refuse(draft.services[i].move_idle, key_of(i, "move_idle"),
                    "resets of idle connections without move: close", "off, or move: close");
  }
  if (service.move.how == FLARE_MOVE_NONE) return;
  if (service.protocol == Protocol::kUdp) {
    problems.refuse(draft.services[i].move, key_of(i, "move"),
                    "moving connections of UDP, which has none", "none");
  } else if (service.counting == FLARE_COUNTING_CONNECTIONS) {
    problems.refuse(draft.services[i].move, key_of(i, "move"),
                    "move close with counting connections, which sees no answers",
                    "none, or counting auto or reported");
  }
}

void check_limits(const Draft& draft, Problems& problems) {
  const LimitConfig& limits = draft.config.limits;
  const auto& services = draft.config.services;
  if (services.size() > limits.services) {
    problems.refuse(draft.services[limits.services].service, "services",
                    std::to_string(services.size()) + " services",
                    "at most " + std::to_string(limits.services) + " (limits.services)");
  }
  std::size_t backends = 0;
  for (const ServiceConfig& service : services) backends += service.serverless.size();
  if (backends >= limits.backends) {
    problems.refuse(draft.limits, "limits.backends",
                    std::to_string(backends) + " backends in all services",
                    "at most " + std::to_string(limits.backends - 1) +
                        " (limits.backends, less the id 0 that is never used)");
  }
}

/// The part of `range` that the host gives out to its own sockets; min > max where there is none.
std::vector<PortRange> clashes(PortRange range, const HostPorts& host) {
  std::vector<PortRange> left;
  std::uint32_t from = std::max(range.min, host.ephemeral.min);
  const std::uint32_t to = std::min(range.max, host.ephemeral.max);
  for (const PortRange& reserved : host.reserved) {
    if (reserved.max < from || reserved.min > to) continue;
    if (reserved.min > from) {
      left.push_back(
          {static_cast<std::uint16_t>(from), static_cast<std::uint16_t>(reserved.min - 1)});
    }
    from = std::uint32_t{reserved.max} + 1;
  }
  if (from <= to) {
    left.push_back({static_cast<std::uint16_t>(from), static_cast<std::uint16_t>(to)});
  }
  return left;
}

void check_nat(const Draft& draft, const HostPorts& host, Problems& problems) {
  const PortRange range{draft.config.nat.port_min, draft.config.nat.port_max};
  if (range.min > range.max) {
    problems.refuse(draft.nat, "nat.port_min", "the reversed range " + range_text(range),
                    "port_min not above port_max");
    return;
  }
  const auto taken = clashes(range, host);
  if (!taken.empty()) {
    problems.refuse(draft.nat, "nat.port_min",
                    "the range " + range_text(range) + ", of which the host gives out " +
                        range_text(taken.front()) + " to its own sockets",
                    "ports outside net.ipv4.ip_local_port_range (" + range_text(host.ephemeral) +
                        "), or listed in net.ipv4.ip_local_reserved_ports");
  }
  std::vector<Address> snat;
  for (const ServiceConfig& service : draft.config.services) {
    for (const Address& address : snat_of(service)) snat.push_back(address);
  }
  for (std::size_t i = 0; i < draft.config.services.size(); ++i) {
    const Endpoint& frontend = draft.config.services[i].frontend;
    if (frontend.port < range.min || frontend.port > range.max) continue;
    if (!contains(snat, frontend.address)) continue;
    problems.refuse(
        draft.services[i].frontend, key_of(i, "frontend"),
        frontend.text() + ", a port of the range " + range_text(range) + " that spilled flows get",
        "a port outside nat.port_min to nat.port_max");
  }
}

void check_beat(const Draft& draft, Problems& problems) {
  for (std::size_t i = 0; i < draft.config.services.size(); ++i) {
    const ServiceConfig& service = draft.config.services[i];
    if (service.formula.interval * 2 <= draft.config.agent.heartbeat_bound) continue;
    problems.refuse(draft.services[i].service, key_of(i, "formula.interval"),
                    std::to_string(service.formula.interval.count()) + "ms",
                    "at most half of agent.heartbeat_bound (" +
                        std::to_string(draft.config.agent.heartbeat_bound.count()) + "ms)");
  }
}

}  // namespace

void cross_check(const Draft& draft, const HostPorts& host, Problems& problems) {
  if (draft.config.interfaces.empty() && problems.empty()) {
    problems.refuse({}, "interfaces", "no interface", "at least one network interface");
  }
  check_interfaces(draft, problems);
  check_identities(draft, problems);
  for (std::size_t i = 0; i < draft.config.services.size(); ++i) {
    check_families(draft, i, problems);
    check_snat(draft, i, problems);
    check_backend_addresses(draft, i, problems);
    check_policy(draft, i, problems);
    check_counting(draft, i, problems);
    check_move(draft, i, problems);
  }
  check_limits(draft, problems);
  check_nat(draft, host, problems);
  check_beat(draft, problems);
}

}  // namespace flare
