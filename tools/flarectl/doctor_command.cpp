// flarectl doctor: what stands in Flare's way on this machine. Exit 7 where something fails.
#include <algorithm>
#include <iostream>
#include <map>

#include "flarectl/commands.h"
#include "flarectl/doctor.h"
#include "flarectl/table.h"

namespace flare::ctl {
namespace {

struct Options {
  std::vector<std::string> interfaces;
};

/// The interfaces to look at: those that were named, else those that Flare is attached to.
Result<std::vector<Subject>> subjects(const std::optional<Maps>& maps, const Options& options) {
  std::map<std::uint32_t, flare_interface> attached;
  if (maps) {
    auto walked = maps->interfaces.for_each(
        [&](std::uint32_t ifindex, const flare_interface& entry) { attached[ifindex] = entry; });
    if (!walked) return walked.error();
  }
  auto devices = list_devices();
  if (!devices) return devices.error();
  std::vector<Subject> found;
  for (const Device& device : *devices) {
    auto entry = attached.find(device.ifindex);
    bool named = std::find(options.interfaces.begin(), options.interfaces.end(), device.name) !=
                 options.interfaces.end();
    if (!named && (!options.interfaces.empty() || entry == attached.end())) continue;
    found.push_back({device, entry == attached.end()
                                 ? std::nullopt
                                 : std::optional<flare_interface>(entry->second)});
  }
  if (found.size() < options.interfaces.size()) {
    return Error("not all of the named interfaces are in this network namespace");
  }
  return found;
}

Cell health_cell(Health health) {
  static constexpr std::array kTones{Tone::kGood, Tone::kDim, Tone::kWarn, Tone::kBad};
  return {to_text(health), kTones[static_cast<std::size_t>(health)]};
}

void print_for_people(const Context& context, const Checks& checks) {
  for (const Check& check : checks) {
    Cell cell = health_cell(check.health);
    std::string padding(6 - cell.text.size(), ' ');
    std::string subject = check.subject.empty() ? "" : check.subject + ": ";
    std::cout << toned(cell, context) << padding << subject << check.finding << '\n';
    if (!check.advice.empty()) {
      std::cout << "      " << toned(Cell("-> " + check.advice, Tone::kDim), context) << '\n';
    }
  }
}

void print_as_json(const Checks& checks, bool failed) {
  Json list = Json::array();
  for (const Check& check : checks) {
    list.push_back({{"check", check.id},
                    {"interface", check.subject.empty() ? Json(nullptr) : Json(check.subject)},
                    {"health", to_text(check.health)},
                    {"finding", check.finding},
                    {"advice", check.advice.empty() ? Json(nullptr) : Json(check.advice)}});
  }
  print_json("doctor", {{"degraded", failed}, {"checks", list}});
}

int run(const Context& context, const Options& options) {
  Checks checks;
  check_host(context, checks);
  std::optional<Maps> maps;
  if (auto opened = Maps::open(context.pin_dir, Access::kRead)) {
    maps.emplace(*std::move(opened));
    check_datapath(context, *maps, checks);
    if (auto settings = maps->settings.lookup(0)) check_ports(*settings, checks);
  } else {
    checks.push_back({"maps", "", Health::kFail, opened.error().message(), ""});
  }
  auto looked_at = subjects(maps, options);
  if (!looked_at) return fail(kNotFound, looked_at.error().message());
  for (const Subject& subject : *looked_at) check_interface(subject, checks);
  bool failed = std::any_of(checks.begin(), checks.end(),
                            [](const Check& check) { return check.health == Health::kFail; });
  if (context.json) {
    print_as_json(checks, failed);
  } else {
    print_for_people(context, checks);
  }
  return failed ? kDegraded : kOk;
}

}  // namespace

void add_doctor(CLI::App& app, Context& context) {
  CLI::App& command =
      *app.add_subcommand("doctor", "what stands in Flare's way on this machine, and what to do");
  auto& options = command_options<Options>(command, context, run);
  command
      .add_option("--interface", options.interfaces,
                  "look at this one (repeatable); default: those that Flare is attached to")
      ->type_name("NAME");
}

}  // namespace flare::ctl
