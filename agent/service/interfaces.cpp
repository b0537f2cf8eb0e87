#include "service/interfaces.h"

#include <fnmatch.h>

#include <algorithm>

namespace flare {
namespace {

constexpr std::uint64_t kRetryNs = 5'000'000'000;

bool same(const InterfaceConfig& a, const InterfaceConfig& b) {
  return a.name == b.name && a.mode == b.mode && a.tc == b.tc;
}

}  // namespace

std::optional<InterfaceConfig> wanted_for(const std::vector<InterfaceConfig>& wanted,
                                          std::string_view name) {
  const std::string text(name);
  auto found = std::find_if(wanted.begin(), wanted.end(),
                            [&text](const InterfaceConfig& one) { return one.name == text; });
  if (found == wanted.end() && text != "lo") {
    found = std::find_if(wanted.begin(), wanted.end(), [&text](const InterfaceConfig& one) {
      return !one.match.empty() && ::fnmatch(one.match.c_str(), text.c_str(), 0) == 0;
    });
  }
  if (found == wanted.end()) return std::nullopt;
  InterfaceConfig config = *found;
  config.name = text;
  return config;
}

bool Interfaces::attach(std::uint32_t ifindex, const InterfaceConfig& interface) {
  auto attachment = devices_.attach(interface);
  if (!attachment) {
    // It may have gone, or changed its name, since it was seen.
    const auto present = devices_.present();
    const bool lives =
        !present || (present->contains(ifindex) && present->at(ifindex) == interface.name);
    if (lives) {
      log_.error("cannot attach interface={} reason=\"{}\"", interface.name,
                 attachment.error().message());
    }
    return false;
  }
  attached_[attachment->ifindex] = interface;
  retry_ns_.erase(attachment->ifindex);
  log_.info("attached interface={} mode={} replaced={} why=\"{}\"", interface.name,
            attach_mode_word(static_cast<std::uint32_t>(attachment->mode)), attachment->replaced,
            attachment->why);
  return true;
}

void Interfaces::detach_for(const std::string& name, std::string_view why) {
  auto detached = devices_.detach(name);
  if (!detached) {
    log_.error("cannot detach interface={} reason=\"{}\"", name, detached.error().message());
  } else if (*detached) {
    log_.info("detached interface={} why=\"{}\"", name, why);
  }
}

bool Interfaces::is_left_alone(std::uint32_t ifindex, const std::string& name) const {
  return std::any_of(by_hand_.begin(), by_hand_.end(),
                     [&](const auto& one) { return one.first == name || one.second == ifindex; });
}

Result<void> Interfaces::apply(const std::vector<InterfaceConfig>& wanted, std::uint64_t now_ns) {
  by_hand_.clear();
  retry_ns_.clear();
  wanted_ = wanted;
  tend(now_ns);
  tell_missing();
  detach_unwanted();
  const bool waits = std::any_of(wanted.begin(), wanted.end(),
                                 [](const InterfaceConfig& one) { return !one.match.empty(); });
  if (attached_.empty() && !waits && !wanted.empty()) {
    return Error("none of the configured interfaces could be attached");
  }
  return {};
}

void Interfaces::tell_missing() const {
  const auto present = devices_.present();
  if (!present) return;
  for (const InterfaceConfig& interface : wanted_) {
    const bool there = std::any_of(present->begin(), present->end(), [&interface](const auto& one) {
      return one.second == interface.name;
    });
    if (there || interface.name.empty()) continue;
    log_.warn("there is no such interface yet interface={}", interface.name);
  }
}

void Interfaces::tend(std::uint64_t now_ns) {
  const auto present = devices_.present();
  if (present.has_value() == cannot_list_) {
    cannot_list_ = !present;
    if (!present) log_.error("cannot follow interfaces reason=\"{}\"", present.error().message());
  }
  if (!present) return;
  follow_attached(*present);
  attach_missing(*present, now_ns);
}

/// What we are on may be gone, or have a name that wants something else.
void Interfaces::follow_attached(const Devices::Names& present) {
  bool gone = false;
  for (auto at = attached_.begin(); at != attached_.end();) {
    const auto [ifindex, config] = *at;
    const auto living = present.find(ifindex);
    if (living == present.end()) {
      log_.warn("interface went away interface={} ifindex={}", config.name, ifindex);
      at = attached_.erase(at);
      retry_ns_.erase(ifindex);
      gone = true;
    } else if (living->second != config.name && !wanted_for(wanted_, living->second)) {
      detach_for(living->second, "its name was " + config.name + " and fits no more");
      at = attached_.erase(at);
    } else {
      ++at;
    }
  }
  if (!gone) return;
  auto forgotten = devices_.forget_gone();
  if (!forgotten) {
    log_.warn("cannot clear what is left of it reason=\"{}\"", forgotten.error().message());
  }
}

void Interfaces::attach_missing(const Devices::Names& present, std::uint64_t now_ns) {
  std::erase_if(retry_ns_, [&present](const auto& one) { return !present.contains(one.first); });
  for (auto& [name, ifindex] : by_hand_) {
    if (!present.contains(ifindex)) ifindex = 0;  // another interface may get it
  }
  for (const auto& [ifindex, name] : present) {
    const auto wanted = wanted_for(wanted_, name);
    if (!wanted || is_left_alone(ifindex, name)) continue;
    const auto stands = attached_.find(ifindex);
    if (stands != attached_.end() && same(stands->second, *wanted)) continue;
    const auto retry = retry_ns_.find(ifindex);
    if (retry != retry_ns_.end() && now_ns < retry->second) continue;
    if (!attach(ifindex, *wanted)) retry_ns_[ifindex] = now_ns + kRetryNs;
  }
}

/// What this configuration, or an agent before this one, has left.
void Interfaces::detach_unwanted() {
  const auto recorded = devices_.recorded();
  if (!recorded) {
    log_.warn("cannot read what is attached reason=\"{}\"", recorded.error().message());
    return;
  }
  for (const auto& [ifindex, name] : *recorded) {
    if (wanted_for(wanted_, name)) continue;
    detach_for(name, "the configuration no longer has it");
    attached_.erase(ifindex);
  }
}

Result<std::vector<std::string>> Interfaces::detach(const std::string& name) {
  auto recorded = devices_.recorded();
  if (!recorded) return recorded.error();
  if (name != "all") {
    std::erase_if(*recorded, [&name](const auto& one) { return one.second != name; });
    if (recorded->empty()) recorded->emplace(0, name);
  }
  std::vector<std::string> done;
  for (const auto& [ifindex, one] : *recorded) {
    auto detached = devices_.detach(one);
    if (!detached) return detached.error();
    if (!*detached) continue;
    attached_.erase(ifindex);
    by_hand_[one] = ifindex;
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
