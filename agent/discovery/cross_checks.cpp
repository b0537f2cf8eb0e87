#include "discovery/cross_checks.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>

#include "discovery/check_words.h"

namespace flare {
namespace {

std::string range_text(PortRange range) {
  return std::to_string(range.min) + "-" + std::to_string(range.max);
}

void check_identities(const Draft& draft, Problems& problems) {
  std::map<std::string, std::size_t> names;
  std::map<std::tuple<Endpoint, Protocol>, std::size_t> frontends;
  for (std::size_t i = 0; i < draft.config.services.size(); ++i) {
    const ServiceConfig& service = draft.config.services[i];
    if (!service.name.empty()) {
      const auto [first, fresh] = names.emplace(service.name, i);
      if (!fresh) {
        problems.refuse(draft.services[i].name, service_key(i, "name"),
                        in_quotes(service.name) + ", the name of services[" +
                            std::to_string(first->second) + "] too",
                        "a name of its own");
      }
    }
    if (service.frontend.port == 0) continue;
    const auto [first, fresh] =
        frontends.emplace(std::tuple(service.frontend, service.protocol), i);
    if (fresh) continue;
    problems.refuse(draft.services[i].frontend, service_key(i, "frontend"),
                    service.frontend.text() + "/" + std::string(to_text(service.protocol)) +
                        " of " + named(service) + ", the frontend of " +
                        named(draft.config.services[first->second]) + " too",
                    "an address, port and protocol of its own");
  }
}

void check_snat(const Draft& draft, std::size_t i, Problems& problems) {
  const ServiceConfig& service = draft.config.services[i];
  if (service.snat.size() > FLARE_SNAT_ADDRS_MAX) {
    problems.refuse(draft.services[i].snat[FLARE_SNAT_ADDRS_MAX], service_key(i, "snat"),
                    std::to_string(service.snat.size()) + " addresses",
                    "at most " + std::to_string(FLARE_SNAT_ADDRS_MAX));
  }
  for (std::size_t s = 1; s < service.snat.size(); ++s) {
    const auto first = std::find(service.snat.begin(), service.snat.end(), service.snat[s]);
    if (static_cast<std::size_t>(first - service.snat.begin()) == s) continue;
    problems.refuse(draft.services[i].snat[s], service_key(i, "snat", s, ""),
                    service.snat[s].text() + " a second time", "each address once");
  }
  if (service.frontend.port == 0) return;
  const bool v4 = service.frontend.address.is_v4();
  for (std::size_t s = 0; s < service.snat.size(); ++s) {
    if (service.snat[s].is_v4() == v4) continue;
    problems.refuse(
        draft.services[i].snat[s], service_key(i, "snat", s, ""),
        service.snat[s].text() + " of the other family",
        std::string(v4 ? "IPv4" : "IPv6") + ", as the frontend " + service.frontend.text());
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
    problems.refuse(places.counting, service_key(i, "counting"),
                    "counting " + counting + " for UDP, whose flows are counted", "auto");
  } else if (service.policy == FLARE_POLICY_CAP && !tells_workers(draft, i)) {
    problems.refuse(places.counting, service_key(i, "counting"),
                    "counting " + counting + " with policy cap and without workers",
                    "workers, which are learned with counting: auto alone; or another policy");
  }
}

void check_policy(const Draft& draft, std::size_t i, Problems& problems) {
  const ServiceConfig& service = draft.config.services[i];
  const ServicePlaces& places = draft.services[i];
  const bool spills = service.policy != FLARE_POLICY_OBSERVE;
  const bool cap = service.policy == FLARE_POLICY_CAP;
  if (service.policy == FLARE_POLICY_FORMULA && !tells_capacity(draft, i)) {
    problems.refuse(places.policy, service_key(i, "policy"), "formula without capacity_rps",
                    "formula with capacity_rps, or observe");
  }
  if (service.protocol == Protocol::kUdp && (cap || service.workers > 0)) {
    problems.refuse(cap ? places.policy : places.workers,
                    service_key(i, cap ? "policy" : "workers"),
                    "a cap on requests for UDP, whose requests are not counted",
                    "formula or observe, without workers");
  }
  const TierPlaces& serverless = places.tier[FLARE_TIER_SERVERLESS];
  if (spills && !serverless.given) {
    const std::string policy = !cap ? "formula" : places.has_policy ? "cap" : "cap, the default";
    problems.refuse(serverless.list, service_key(i, "serverless"),
                    "no backend to spill to with policy " + policy,
                    "at least one serverless backend, or policy: observe");
  }
  if (!spills && service.min_share > 0) {
    problems.refuse(places.min_share, service_key(i, "min_share"),
                    "a floor with policy observe, which spills nothing",
                    "0, or policy formula or cap");
  }
}

/// Connections are told to end where an answer is seen.
void check_move(const Draft& draft, std::size_t i, Problems& problems) {
  const ServiceConfig& service = draft.config.services[i];
  if (service.move.idle && service.move.how == FLARE_MOVE_NONE) {
    problems.refuse(draft.services[i].move_idle, service_key(i, "move_idle"),
                    "resets of idle connections without move: close", "off, or move: close");
  }
  if (service.move.how == FLARE_MOVE_NONE) return;
  if (service.protocol == Protocol::kUdp) {
    problems.refuse(draft.services[i].move, service_key(i, "move"),
                    "moving connections of UDP, which has none", "none");
  } else if (service.counting == FLARE_COUNTING_CONNECTIONS) {
    problems.refuse(draft.services[i].move, service_key(i, "move"),
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
  for (const ServiceConfig& service : services) {
    backends += service.vm.size() + service.serverless.size();
  }
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
  std::set<Address> snat;
  for (const ServiceConfig& service : draft.config.services) {
    for (const Address& address : snat_of(service)) snat.insert(address);
  }
  for (std::size_t i = 0; i < draft.config.services.size(); ++i) {
    const Endpoint& frontend = draft.config.services[i].frontend;
    if (frontend.port < range.min || frontend.port > range.max) continue;
    if (!snat.contains(frontend.address)) continue;
    problems.refuse(
        draft.services[i].frontend, service_key(i, "frontend"),
        frontend.text() + ", a port of the range " + range_text(range) + " that spilled flows get",
        "a port outside nat.port_min to nat.port_max");
  }
}

void check_beat(const Draft& draft, Problems& problems) {
  for (std::size_t i = 0; i < draft.config.services.size(); ++i) {
    const ServiceConfig& service = draft.config.services[i];
    if (service.formula.interval * 2 <= draft.config.agent.heartbeat_bound) continue;
    problems.refuse(draft.services[i].service, service_key(i, "formula.interval"),
                    std::to_string(service.formula.interval.count()) + "ms",
                    "at most half of agent.heartbeat_bound (" +
                        std::to_string(draft.config.agent.heartbeat_bound.count()) + "ms)");
  }
}

}  // namespace

void cross_check(const Draft& draft, const HostPorts& host, Problems& problems) {
  check_reach(draft, problems);
  check_identities(draft, problems);
  const OwnAddresses own(draft.config);
  for (std::size_t i = 0; i < draft.config.services.size(); ++i) {
    check_snat(draft, i, problems);
    check_tiers(draft, i, own, problems);
    check_placement(draft, i, problems);
    check_capacity(draft, i, problems);
    check_policy(draft, i, problems);
    check_counting(draft, i, problems);
    check_move(draft, i, problems);
  }
  check_limits(draft, problems);
  check_nat(draft, host, problems);
  check_beat(draft, problems);
}

}  // namespace flare
