// flarectl status: is it attached, is it tended, what does each service do. Exit 7 when degraded.
#include <iostream>

#include "flarectl/agent_client.h"
#include "flarectl/commands.h"
#include "flarectl/table.h"
#include "flarectl/units.h"
#include "flarectl/view.h"
#include "kernel/connect_hooks.h"
#include "kernel/datapath.h"

namespace flare::ctl {
namespace {

struct Options {};

struct InterfaceView {
  std::uint32_t ifindex = 0;
  flare_interface entry{};
  std::vector<HookState> hooks;
};

struct Status {
  Heartbeat heartbeat;
  std::string control;  ///< "answers", "none", "unknown": what listens at the control socket
  flare_settings settings{};
  std::uint32_t services_max = 0;
  std::uint32_t backends_max = 0;
  std::uint32_t flows_max = 0;
  std::vector<InterfaceView> interfaces;
  std::vector<CgroupState> cgroups;
  std::vector<ServiceEntry> services;
  std::vector<std::string> problems;
  bool hooks_known = true;
};

std::string interface_name(const InterfaceView& view) {
  return std::string(view.entry.name, ::strnlen(view.entry.name, sizeof(view.entry.name)));
}

std::string why_of(const InterfaceView& view) {
  return std::string(view.entry.why, ::strnlen(view.entry.why, sizeof(view.entry.why)));
}

void read_interfaces(const Context& context, const Maps& maps, Status& status) {
  auto walked = maps.interfaces.for_each([&](std::uint32_t ifindex, const flare_interface& entry) {
    status.interfaces.push_back({ifindex, entry, {}});
  });
  if (!walked) status.problems.push_back(walked.error().message());
  auto hooks = attached_hooks(context.pin_dir, maps);
  if (!hooks) {
    status.hooks_known = false;
    return;
  }
  for (HookState& hook : *hooks) {
    for (InterfaceView& view : status.interfaces) {
      if (view.ifindex == hook.ifindex) view.hooks.push_back(hook);
    }
  }
}

void read_cgroups(const Context& context, Status& status) {
  auto cgroups = attached_cgroups(context.pin_dir);
  if (!cgroups) {
    status.hooks_known = false;
    return;
  }
  status.cgroups = *std::move(cgroups);
}

void judge_cgroup(const CgroupState& cgroup, Status& status) {
  if (!cgroup.exists) {
    status.problems.push_back(cgroup.path.string() +
                              ": this cgroup is gone; flared attaches when it is there again");
  } else if (cgroup.hooks < kCgroupHooks.size()) {
    status.problems.push_back(cgroup.path.string() + ": " +
                              std::to_string(kCgroupHooks.size() - cgroup.hooks) + " of " +
                              std::to_string(kCgroupHooks.size()) + " hooks not attached");
  }
}

/// A hook is well when our program runs there.
bool is_well(const HookState& hook) { return hook.program_id != 0 && hook.ours; }

void judge_interface(const InterfaceView& view, Status& status) {
  std::size_t expected = view.entry.mode == FLARE_ATTACH_XDP ? 3 : 2;
  std::size_t well = 0;
  for (const HookState& hook : view.hooks) {
    well += is_well(hook) ? 1 : 0;
    if (hook.program_id != 0 && !hook.ours) {
      status.problems.push_back(interface_name(view) + ": another program, '" + hook.program_name +
                                "', runs at " + hook.hook);
    }
  }
  if (well < expected) {
    status.problems.push_back(
        interface_name(view) + ": " + std::to_string(expected - well) + " of " +
        std::to_string(expected) +
        " hooks not attached; flared attaches again when the device is there");
  }
}

void judge(Status& status) {
  if (!status.heartbeat.ever) {
    status.problems.push_back("flared has not tended this datapath yet");
  } else if (!status.heartbeat.fresh) {
    status.problems.push_back("flared's last beat is " + human_time(status.heartbeat.age_ns) +
                              " old, shares no longer hold: each service uses its fallback "
                              "(systemctl status flared)");
  }
  if (status.interfaces.empty() && status.cgroups.empty() && status.hooks_known) {
    status.problems.push_back("no interface is attached");
  }
  if (!status.hooks_known) return;
  for (const CgroupState& cgroup : status.cgroups) judge_cgroup(cgroup, status);
  for (const InterfaceView& view : status.interfaces) judge_interface(view, status);
}

Status gather(const Context& context, const Maps& maps) {
  Status status;
  status.heartbeat = read_heartbeat(maps, now_ns());
  AgentAnswer answer = ask_agent(context, {{"command", "ping"}}, 1);
  status.control = "unknown";
  if (answer.kind == AgentAnswer::Kind::kDone) status.control = "answers";
  if (answer.kind == AgentAnswer::Kind::kNoAgent) status.control = "none";
  if (auto settings = maps.settings.lookup(0)) status.settings = *settings;
  status.services_max = maps.services_max();
  status.backends_max = maps.backends_max();
  status.flows_max = maps.flows.max_entries() / 2;
  read_interfaces(context, maps, status);
  read_cgroups(context, status);
  if (auto services = maps.service_entries()) {
    status.services = *std::move(services);
  } else {
    status.problems.push_back(services.error().message());
  }
  judge(status);
  return status;
}

/// The agent as the datapath judges it.
const char* agent_word(const Heartbeat& heartbeat) {
  if (!heartbeat.ever) return "never";
  return heartbeat.fresh ? "tends" : "silent";
}

Json hook_json(const HookState& hook) {
  return {{"hook", hook.hook},
          {"via", hook.via},
          {"attached", hook.program_id != 0},
          {"ours", hook.ours},
          {"program_id", hook.program_id},
          {"program_name", hook.program_name},
          {"program_tag", hook.program_tag},
          {"loaded_boottime_ns", hook.loaded_ns}};
}

Json interface_json(const InterfaceView& view, std::uint64_t now) {
  Json hooks = Json::array();
  for (const HookState& hook : view.hooks) hooks.push_back(hook_json(hook));
  return {{"interface", interface_name(view)},
          {"ifindex", view.ifindex},
          {"requested", attach_mode_word(view.entry.requested)},
          {"mode", attach_mode_word(view.entry.mode)},
          {"tcx", view.entry.tcx != 0},
          {"why", why_of(view)},
          {"attached_for_ns", now - view.entry.attached_ns},
          {"hooks", hooks}};
}

Json service_json(const ServiceEntry& entry) {
  return {{"name", entry.name},
          {"frontend", endpoint_text(entry.key.addr, entry.key.port)},
          {"protocol", protocol_text(entry.key.proto)},
          {"placement", placement_word(entry.service.placement)},
          {"policy", policy_word(entry.service.policy)},
          {"share_applied", fraction_of(entry.info.applied_share)}};
}

void print_as_json(const Context& context, const Status& status) {
  Json interfaces = Json::array();
  for (const InterfaceView& view : status.interfaces) {
    interfaces.push_back(interface_json(view, now_ns()));
  }
  Json cgroups = Json::array();
  for (const CgroupState& cgroup : status.cgroups) {
    cgroups.push_back({{"path", cgroup.path.string()},
                       {"exists", cgroup.exists},
                       {"hooks", cgroup.hooks},
                       {"hooks_expected", kCgroupHooks.size()}});
  }
  Json services = Json::array();
  for (const ServiceEntry& entry : status.services) services.push_back(service_json(entry));
  print_json("status", {{"degraded", !status.problems.empty()},
                        {"problems", status.problems},
                        {"agent", agent_word(status.heartbeat)},
                        {"control", status.control},
                        {"heartbeat_age_ns",
                         status.heartbeat.ever ? Json(status.heartbeat.age_ns) : Json(nullptr)},
                        {"heartbeat_bound_ns", status.heartbeat.bound_ns},
                        {"heartbeat_fresh", status.heartbeat.fresh},
                        {"layout", FLARE_ABI_VERSION},
                        {"pin_dir", context.pin_dir.string()},
                        {"limits",
                         {{"services", status.services_max},
                          {"backends", status.backends_max},
                          {"flows", status.flows_max}}},
                        {"nat_port_min", status.settings.nat_port_min},
                        {"nat_port_max", status.settings.nat_port_max},
                        {"flood_rate", status.settings.flood_rate},
                        {"hooks_known", status.hooks_known},
                        {"interfaces", interfaces},
                        {"cgroups", cgroups},
                        {"services", services}});
}

Cell agent_cell(const Status& status) {
  if (!status.heartbeat.ever) return {"has never tended this datapath", Tone::kBad};
  std::string beat = "last beat " + human_time(status.heartbeat.age_ns) + " ago";
  if (status.heartbeat.fresh) return {"tends the shares, " + beat, Tone::kGood};
  return {"silent, " + beat + " (bound " + human_time(status.heartbeat.bound_ns) + ")", Tone::kBad};
}

Cell control_cell(const Context& context, const Status& status) {
  if (status.control == "answers") return "flared answers at " + context.socket.string();
  if (status.control == "none") {
    return {"nobody listens at " + context.socket.string(), Tone::kWarn};
  }
  return {"unknown at " + context.socket.string() + " (not allowed, or no answer)", Tone::kWarn};
}

void print_hooks(const Context& context, const Status& status) {
  Table table({{"INTERFACE"},
               {"MODE"},
               {"HOOK"},
               {"VIA"},
               {"PROGRAM"},
               {"ID", Align::kRight},
               {"TAG"},
               {"STATE"}});
  for (const InterfaceView& view : status.interfaces) {
    std::string mode(attach_mode_word(view.entry.mode));
    for (const HookState& hook : view.hooks) {
      Cell state("attached", Tone::kGood);
      if (hook.program_id == 0) state = Cell("gone", Tone::kBad);
      if (hook.program_id != 0 && !hook.ours) state = Cell("foreign", Tone::kBad);
      table.add({interface_name(view), mode, hook.hook, hook.via, hook.program_name,
                 hook.program_id == 0 ? "-" : std::to_string(hook.program_id), hook.program_tag,
                 state});
    }
    if (view.hooks.empty()) {
      table.add({interface_name(view), mode, "?", "?", "?", "-", "", Cell("unknown", Tone::kWarn)});
    }
  }
  std::cout << '\n';
  table.print(std::cout, context);
  for (const InterfaceView& view : status.interfaces) {
    std::cout << toned(Cell("  " + interface_name(view) + ": " + why_of(view), Tone::kDim), context)
              << '\n';
  }
}

void print_cgroups(const Context& context, const Status& status) {
  Table table({{"CGROUP"}, {"HOOKS", Align::kRight}, {"STATE"}});
  for (const CgroupState& cgroup : status.cgroups) {
    const bool well = cgroup.hooks == kCgroupHooks.size();
    Cell state = well ? Cell("attached", Tone::kGood) : Cell("partly attached", Tone::kBad);
    if (!cgroup.exists) state = Cell("gone", Tone::kBad);
    table.add({cgroup.path.string(), std::to_string(cgroup.hooks), state});
  }
  std::cout << '\n';
  table.print(std::cout, context);
}

void print_services(const Context& context, const Status& status) {
  Table table({{"SERVICE"},
               {"FRONTEND"},
               {"PROTO"},
               {"PLACEMENT"},
               {"POLICY"},
               {"SHARE", Align::kRight},
               {"ARRIVALS", Align::kRight},
               {"CAPACITY", Align::kRight}});
  for (const ServiceEntry& entry : status.services) {
    bool spilling = entry.info.applied_share > 0;
    table.add({shown_name(entry), endpoint_text(entry.key.addr, entry.key.port),
               protocol_text(entry.key.proto), std::string(placement_word(entry.service.placement)),
               std::string(policy_word(entry.service.policy)),
               Cell(human_share(fraction_of(entry.info.applied_share)),
                    spilling ? Tone::kWarn : Tone::kPlain),
               human_rate(static_cast<double>(entry.info.arrivals_mrps) / 1000),
               human_rate(static_cast<double>(entry.info.capacity_mrps) / 1000)});
  }
  std::cout << '\n';
  table.print(std::cout, context);
}

void print_for_people(const Context& context, const Status& status) {
  Facts facts;
  facts.add("agent", agent_cell(status));
  facts.add("control", control_cell(context, status));
  facts.add("datapath", context.pin_dir.string() + ", layout v" +
                            std::to_string(FLARE_ABI_VERSION) + ", room for " +
                            human_count(status.services_max) + " services, " +
                            human_count(status.backends_max) + " backends, " +
                            human_count(status.flows_max) + " flows");
  facts.add("NAT ports", std::to_string(status.settings.nat_port_min) + "-" +
                             std::to_string(status.settings.nat_port_max));
  const std::uint32_t flood_rate = status.settings.flood_rate;
  facts.add("flood", flood_rate == 0 ? "no limit on new flows of a CPU"
                                     : "above " + human_rate(flood_rate) +
                                           " new flows on a CPU none is spilled");
  for (const std::string& problem : status.problems) facts.add("problem", {problem, Tone::kBad});
  facts.print(std::cout, context);
  if (!status.interfaces.empty()) print_hooks(context, status);
  if (!status.cgroups.empty()) print_cgroups(context, status);
  if (!status.services.empty()) print_services(context, status);
}

int run(const Context& context, const Options&) {
  auto maps = open_maps(context);
  if (!maps) return kMaps;
  Status status = gather(context, *maps);
  if (!status.hooks_known) {
    std::cerr << "flarectl: what is attached cannot be read without root\n";
  }
  if (context.json) {
    print_as_json(context, status);
  } else {
    print_for_people(context, status);
  }
  return status.problems.empty() ? kOk : kDegraded;
}

}  // namespace

void add_status(CLI::App& app, Context& context) {
  CLI::App& command = *app.add_subcommand(
      "status", "what is attached, whether flared tends it, what each service does");
  command_options<Options>(command, context, run);
}

}  // namespace flare::ctl
