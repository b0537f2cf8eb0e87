#include "service/interfaces.h"

#include <net/if.h>

#include <algorithm>

namespace flare {
namespace {

constexpr std::uint64_t kRetryNs = 10'000'000'000;

bool same(const InterfaceConfig& a, const InterfaceConfig& b) {
  return a.name == b.name && a.mode == b.mode && a.tc == b.tc;
}

/// Names that the maps say we are attached to, from this agent or one before.
std::set<std::string> recorded(const Datapath& datapath, Logger& log) {
  std::set<std::string> names;
  auto walked = datapath.maps().interfaces.for_each(
      [&names](std::uint32_t, const flare_interface& interface) {
        names.emplace(interface.name, ::strnlen(interface.name, sizeof(interface.name)));
      });
  if (!walked) log.warn("cannot read what is attached reason=\"{}\"", walked.error().message());
  return names;
}

}  // namespace

bool Interfaces::attach(const InterfaceConfig& interface) {
  auto attachment = datapath_.attach(interface);
  if (!attachment) {
    log_.error("cannot attach interface={} reason=\"{}\"", interface.name,
               attachment.error().message());
    return false;
  }
  attached_[interface.name] = {attachment->ifindex, interface};
  retry_ns_.erase(interface.name);
  log_.info("attached interface={} mode={} replaced={} why=\"{}\"", interface.name,
            attach_mode_word(static_cast<std::uint32_t>(attachment->mode)), attachment->replaced,
            attachment->why);
  return true;
}

Result<void> Interfaces::apply(const std::vector<InterfaceConfig>& wanted) {
  by_hand_.clear();
  retry_ns_.clear();
  wanted_ = wanted;
  for (const InterfaceConfig& interface : wanted) {
    const auto found = attached_.find(interface.name);
    const bool stands = found != attached_.end() && same(found->second.config, interface) &&
                        found->second.ifindex == ::if_nametoindex(interface.name.c_str());
    if (!stands && !attach(interface)) retry_ns_[interface.name] = 0;
  }
  for (const std::string& name : recorded(datapath_, log_)) {
    const bool kept = std::any_of(wanted.begin(), wanted.end(),
                                  [&](const InterfaceConfig& one) { return one.name == name; });
    if (kept) continue;
    auto detached = datapath_.detach(name);
    attached_.erase(name);
    if (!detached) {
      log_.error("cannot detach interface={} reason=\"{}\"", name, detached.error().message());
    } else {
      log_.info("detached interface={} why=\"the configuration no longer has it\"", name);
    }
  }
  if (attached_.empty()) return Error("none of the configured interfaces could be attached");
  return {};
}

void Interfaces::tend(std::uint64_t now_ns) {
  bool gone = false;
  for (const InterfaceConfig& interface : wanted_) {
    if (by_hand_.contains(interface.name)) continue;
    const std::uint32_t ifindex = ::if_nametoindex(interface.name.c_str());
    const auto found = attached_.find(interface.name);
    if (found != attached_.end() && found->second.ifindex == ifindex) continue;
    if (found != attached_.end()) {
      log_.warn("interface went away interface={} ifindex={}", interface.name,
                found->second.ifindex);
      attached_.erase(found);
      gone = true;
    }
    auto& retry = retry_ns_[interface.name];
    if (ifindex == 0 || now_ns < retry) continue;
    retry = now_ns + kRetryNs;
    static_cast<void>(attach(interface));
  }
  if (!gone) return;
  auto forgotten = datapath_.forget_gone();
  if (!forgotten) {
    log_.warn("cannot clear what is left of it reason=\"{}\"", forgotten.error().message());
  }
}

Result<std::vector<std::string>> Interfaces::detach(const std::string& name) {
  std::vector<std::string> done;
  const std::set<std::string> names =
      name == "all" ? recorded(datapath_, log_) : std::set<std::string>{name};
  for (const std::string& one : names) {
    auto detached = datapath_.detach(one);
    if (!detached) return detached.error();
    if (!*detached) continue;
    attached_.erase(one);
    by_hand_.insert(one);
    done.push_back(one);
    log_.warn("detached by hand interface={}", one);
  }
  if (done.empty()) {
    return Error(name == "all" ? "no interface is attached"
                               : "nothing is attached to '" + name + "'");
  }
  return done;
}

}  // namespace flare
