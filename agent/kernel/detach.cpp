// What is attached, and taking it away: by the agent that loaded it or without loading anything.
#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>
#include <tuple>

#include "kernel/connect_hooks.h"
#include "kernel/datapath_state.h"
#include "kernel/device.h"
#include "kernel/layout_move.h"
#include "kernel/privilege.h"
#include "kernel/program_info.h"
#include "kernel/tc_filter.h"

namespace flare {
namespace {

namespace fs = std::filesystem;

using InterfaceMap = TypedMap<std::uint32_t, flare_interface>;

constexpr std::array kTcHooks{HookPoint::kTcIngress, HookPoint::kTcEgress};
// XDP first: what it would translate then goes through tc for the rest of the way out.
constexpr std::array kDetachOrder{HookPoint::kXdp, HookPoint::kTcIngress, HookPoint::kTcEgress};

std::string name_of(std::uint32_t ifindex) {
  std::array<char, IF_NAMESIZE> name{};
  return ::if_indextoname(ifindex, name.data()) != nullptr ? name.data() : "";
}

std::string recorded_name(const flare_interface& entry) {
  return std::string(entry.name, ::strnlen(entry.name, sizeof(entry.name)));
}

/// The index of a device: of the living one of that name, else of the recorded one.
Result<std::optional<std::uint32_t>> index_of(const InterfaceMap& interfaces,
                                              const std::string& name) {
  std::optional<std::uint32_t> recorded;
  unsigned living = ::if_nametoindex(name.c_str());
  auto walked = interfaces.for_each([&](std::uint32_t ifindex, const flare_interface& entry) {
    if (ifindex == living || (!recorded && recorded_name(entry) == name)) recorded = ifindex;
  });
  if (!walked) return walked.error();
  if (!recorded && living != 0) recorded = living;
  return recorded;
}

/// What was removed from one device.
struct Removed {
  std::uint32_t links = 0;
  std::uint32_t filters = 0;
};

Result<Removed> remove_from(const LinkPins& pins, std::uint32_t ifindex) {
  Removed removed;
  for (HookPoint hook : kDetachOrder) {
    auto link = pins.remove({ifindex, hook});
    if (!link) return link.error();
    removed.links += *link ? 1 : 0;
  }
  bool gone = name_of(ifindex).empty();
  if (gone) return removed;
  for (HookPoint hook : kTcHooks) {
    auto filter = remove_filter(ifindex, hook);
    if (!filter) return filter.error();
    removed.filters += *filter ? 1 : 0;
  }
  return removed;
}

Result<bool> detach_one(const LinkPins& pins, const InterfaceMap& interfaces,
                        std::uint32_t ifindex) {
  auto removed = remove_from(pins, ifindex);
  if (!removed) return removed.error();
  auto erased = interfaces.erase(ifindex);
  if (!erased) return erased.error();
  return removed->links + removed->filters > 0 || *erased;
}

HookState describe(std::uint32_t ifindex, HookPoint hook, std::string via,
                   std::uint32_t program_id) {
  HookState state;
  state.ifindex = ifindex;
  state.interface = name_of(ifindex);
  state.point = hook;
  state.hook = to_text(hook);
  state.via = std::move(via);
  state.program_id = program_id;
  if (program_id == 0) return state;
  ProgramInfo info = program_info_of_id(program_id);
  state.program_name = info.name;
  state.program_tag = info.tag;
  state.loaded_ns = info.loaded_ns;
  // Without CAP_SYS_ADMIN the name is hidden; the pin or handle that led us here is still ours.
  state.ours = info.name.empty() || info.is_flare();
  return state;
}

Result<std::vector<HookState>> states_of(const LinkPins& pins, const Maps& maps) {
  std::vector<HookState> states;
  for (const LinkPins::Name& name : pins.list()) {
    auto link = pins.open(name);
    if (!link) return link.error();
    if (!*link) continue;
    auto facts = link_facts((*link)->get());
    if (!facts) return facts.error();
    bool dead = facts->ifindex == 0;
    states.push_back(describe(name.ifindex, name.hook, "link", dead ? 0 : facts->program_id));
  }
  auto walked = maps.interfaces.for_each([&](std::uint32_t ifindex, const flare_interface& entry) {
    if (entry.tcx != 0) return;
    for (HookPoint hook : kTcHooks) {
      states.push_back(describe(ifindex, hook, "clsact", find_filter(ifindex, hook).value_or(0)));
    }
  });
  if (!walked) return walked.error();
  std::stable_sort(states.begin(), states.end(), [](const HookState& a, const HookState& b) {
    return std::tie(a.ifindex, a.point) < std::tie(b.ifindex, b.point);
  });
  return states;
}

/// The indexes that have a link or an entry; entries only where the map can be opened.
Result<std::set<std::uint32_t>> attached_indexes(const fs::path& pin_dir) {
  std::set<std::uint32_t> indexes;
  for (const LinkPins::Name& name : LinkPins(links_dir(pin_dir)).list()) {
    indexes.insert(name.ifindex);
  }
  auto interfaces = InterfaceMap::open(layout_dir(pin_dir) / "interfaces", Access::kRead);
  if (!interfaces) return indexes;
  auto walked = interfaces->for_each(
      [&](std::uint32_t ifindex, const flare_interface&) { indexes.insert(ifindex); });
  if (!walked) return walked.error();
  return indexes;
}

Result<void> remove_dir(const fs::path& dir) {
  if (::rmdir(dir.c_str()) == 0 || errno == ENOENT || errno == ENOTEMPTY) return {};
  return refused("cannot remove " + dir.string(), errno, "root");
}

}  // namespace

Result<bool> Datapath::detach(const std::string& interface) {
  auto ifindex = index_of(state_->maps.interfaces, interface);
  if (!ifindex) return ifindex.error();
  if (!*ifindex) return false;
  for (HookPoint hook : kDetachOrder) state_->links.erase({**ifindex, hook});
  return detach_one(state_->pins, state_->maps.interfaces, **ifindex);
}

Result<std::vector<std::string>> Datapath::forget_gone() {
  std::vector<std::pair<std::uint32_t, std::string>> gone;
  auto walked =
      state_->maps.interfaces.for_each([&](std::uint32_t ifindex, const flare_interface& entry) {
        auto device_lives = !name_of(ifindex).empty();
        if (!device_lives) gone.emplace_back(ifindex, recorded_name(entry));
      });
  if (!walked) return walked.error();
  std::vector<std::string> names;
  for (const auto& [ifindex, name] : gone) {
    bool moved_alive = false;
    for (HookPoint hook : kDetachOrder) {
      auto link = state_->pins.open({ifindex, hook});
      if (!link) return link.error();
      if (!*link) continue;
      auto facts = link_facts((*link)->get());
      if (!facts) return facts.error();
      moved_alive = moved_alive || facts->ifindex != 0;
    }
    // A device that was moved to another namespace keeps its programs, and they keep working.
    if (moved_alive) continue;
    for (HookPoint hook : kDetachOrder) state_->links.erase({ifindex, hook});
    auto removed = detach_one(state_->pins, state_->maps.interfaces, ifindex);
    if (!removed) return removed.error();
    names.push_back(name);
  }
  return names;
}

Result<std::vector<HookState>> Datapath::hooks() const {
  return states_of(state_->pins, state_->maps);
}

Result<std::vector<HookState>> attached_hooks(const fs::path& pin_dir, const Maps& maps) {
  return states_of(LinkPins(links_dir(pin_dir)), maps);
}

Result<bool> detach_interface(const fs::path& pin_dir, const std::string& interface) {
  auto interfaces = InterfaceMap::open(layout_dir(pin_dir) / "interfaces", Access::kReadWrite);
  if (!interfaces) return interfaces.error();
  auto ifindex = index_of(*interfaces, interface);
  if (!ifindex) return ifindex.error();
  if (!*ifindex) return false;
  return detach_one(LinkPins(links_dir(pin_dir)), *interfaces, **ifindex);
}

Result<DetachReport> detach_all(const fs::path& pin_dir) {
  if (::geteuid() != 0) return refused("cannot detach", EPERM, "root");
  DetachReport report;
  auto indexes = attached_indexes(pin_dir);
  if (!indexes) return indexes.error();
  LinkPins pins(links_dir(pin_dir));
  for (std::uint32_t ifindex : *indexes) {
    auto removed = remove_from(pins, ifindex);
    if (!removed) return removed.error();
    report.links += removed->links;
    report.filters += removed->filters;
  }
  auto cgroups = detach_cgroups(pin_dir);
  if (!cgroups) return cgroups.error();
  report.links += *cgroups;
  for (const std::string& name : map_names()) {
    if (::unlink((layout_dir(pin_dir) / name).c_str()) == 0) {
      ++report.maps;
    } else if (errno != ENOENT) {
      return refused("cannot unpin map '" + name + "'", errno, "root");
    }
  }
  ::unlink(description_of(layout_dir(pin_dir)).c_str());
  auto complete = complete_layout(pin_dir);
  if (!complete) return complete.error();
  for (const fs::path& dir : {links_dir(pin_dir), layout_dir(pin_dir), pin_dir}) {
    auto removed = remove_dir(dir);
    if (!removed) return removed.error();
  }
  return report;
}

}  // namespace flare
