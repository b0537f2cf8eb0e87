// flarectl nat: how full the port ranges are, and how hard it is to find a free port.
#include <iostream>
#include <map>

#include "flarectl/commands.h"
#include "flarectl/table.h"
#include "flarectl/units.h"
#include "flarectl/view.h"

namespace flare::ctl {
namespace {

struct Options {};

// Above this part of a range taken, a new flow starts to find no port within its probes.
constexpr double kCrowded = 0.8;

struct Pool {
  std::string backend;
  std::string snat;
  std::string protocol;
  bool operator<(const Pool& other) const {
    return std::tie(backend, snat, protocol) < std::tie(other.backend, other.snat, other.protocol);
  }
};

/// Ports in use by pool: one for each reverse entry.
Result<std::map<Pool, std::uint64_t>> count_ports(const Maps& maps) {
  std::map<Pool, std::uint64_t> used;
  for (const auto* map : {&maps.flows, &maps.embryos}) {
    auto walked = map->for_each([&](const flare_flow_key& key, const flare_flow& flow) {
      if (flow.dir != FLARE_DIR_REVERSE) return;
      ++used[{endpoint_text(key.src, key.sport), Address{key.dst}.text(),
              protocol_text(key.proto)}];
    });
    if (!walked) return walked.error();
  }
  return used;
}

Json probes_json(const std::vector<ServiceEntry>& services, const Maps& maps) {
  Json list = Json::array();
  for (const ServiceEntry& entry : services) {
    flare_service_counters totals = maps.service_totals(entry.service.id);
    list.push_back({{"service", entry.name},
                    {"port_probes", totals.port_probes},
                    {"flows_new", totals.tier[FLARE_TIER_SERVERLESS].flows_new},
                    {"refused_no_port", totals.refused[FLARE_REFUSAL_NO_PORT]}});
  }
  return list;
}

void print_probes(const Context& context, const std::vector<ServiceEntry>& services,
                  const Maps& maps) {
  Table table({{"SERVICE"},
               {"FLOWS", Align::kRight},
               {"PROBES", Align::kRight},
               {"PER-FLOW", Align::kRight},
               {"NO-PORT", Align::kRight}});
  for (const ServiceEntry& entry : services) {
    flare_service_counters totals = maps.service_totals(entry.service.id);
    // new flows that got a port of ours
    std::uint64_t flows = totals.tier[FLARE_TIER_SERVERLESS].flows_new;
    if (entry.service.placement == FLARE_PLACEMENT_BALANCER &&
        entry.service.snat_mode == FLARE_SNAT_ALWAYS) {
      flows += totals.tier[FLARE_TIER_VM].flows_new;
    }
    std::string per_flow = "-";
    if (flows > 0) {
      per_flow =
          std::to_string(static_cast<double>(totals.port_probes) / static_cast<double>(flows))
              .substr(0, 4);
    }
    std::uint64_t none = totals.refused[FLARE_REFUSAL_NO_PORT];
    table.add({shown_name(entry), human_count(flows), human_count(totals.port_probes), per_flow,
               Cell(human_count(none), none > 0 ? Tone::kBad : Tone::kPlain)});
  }
  if (table.empty()) return;
  std::cout << '\n';
  table.print(std::cout, context);
}

int run(const Context& context, const Options&) {
  auto maps = open_maps(context);
  if (!maps) return kMaps;
  auto settings = maps->settings.lookup(0).value_or(flare_settings{});
  auto used = count_ports(*maps);
  if (!used) return fail(kMaps, used.error().message());
  auto services = maps->service_entries();
  if (!services) return fail(kMaps, services.error().message());
  std::uint64_t range = std::uint64_t{settings.nat_port_max} - settings.nat_port_min + 1;
  Json pools = Json::array();
  Table table({{"BACKEND"},
               {"SNAT"},
               {"PROTO"},
               {"PORTS", Align::kRight},
               {"OF", Align::kRight},
               {"TAKEN", Align::kRight}});
  for (const auto& [pool, ports] : *used) {
    double taken = static_cast<double>(ports) / static_cast<double>(range);
    pools.push_back({{"backend", pool.backend},
                     {"snat", pool.snat},
                     {"protocol", pool.protocol},
                     {"ports_used", ports},
                     {"ports", range}});
    table.add({pool.backend, pool.snat, pool.protocol, human_count(ports), human_count(range),
               Cell(human_share(taken), taken >= kCrowded ? Tone::kBad : Tone::kPlain)});
  }
  if (context.json) {
    print_json("nat", {{"port_min", settings.nat_port_min},
                       {"port_max", settings.nat_port_max},
                       {"probes_max", FLARE_PORT_PROBES},
                       {"pools", pools},
                       {"services", probes_json(*services, *maps)}});
    return kOk;
  }
  Facts facts;
  facts.add("ports", std::to_string(settings.nat_port_min) + "-" +
                         std::to_string(settings.nat_port_max) + ", " + human_count(range) +
                         " for each backend and SNAT address, at most " +
                         std::to_string(FLARE_PORT_PROBES) + " tries a flow");
  facts.print(std::cout, context);
  if (!table.empty()) {
    std::cout << '\n';
    table.print(std::cout, context);
  }
  print_probes(context, *services, *maps);
  return kOk;
}

}  // namespace

void add_nat(CLI::App& app, Context& context) {
  CLI::App& command = *app.add_subcommand("nat", "how full the ranges of NAT ports are");
  command_options<Options>(command, context, run);
}

}  // namespace flare::ctl
