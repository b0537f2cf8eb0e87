// The checks of `flarectl doctor`. Each looks at one thing and says what to do where it is not
// well.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "flarectl/view.h"
#include "kernel/device.h"

namespace flare::ctl {

enum class Health : std::uint8_t { kOk, kNote, kWarn, kFail };
std::string to_text(Health health);

struct Check {
  std::string id;       ///< stable key
  std::string subject;  ///< an interface, or empty
  Health health = Health::kOk;
  std::string finding;  ///< a sentence
  std::string advice;   ///< what to do; empty where nothing is to be done
};
using Checks = std::vector<Check>;

/// An interface that is looked at, and how Flare runs on it, if it does.
struct Subject {
  Device device;
  std::optional<flare_interface> attached;
};

/// The machine: kernel, BPF file system, capabilities, socket-level load balancing.
void check_host(const Context& context, Checks& checks);
/// The pinned datapath: agent, hooks, map pressure.
void check_datapath(const Context& context, const Maps& maps, Checks& checks);
/// What lies in the NAT port range besides our flows; `settings` from the maps.
void check_ports(const flare_settings& settings, Checks& checks);
/// One interface: other programs, forwarding, rp_filter, offloads, MTU.
void check_interface(const Subject& subject, Checks& checks);

}  // namespace flare::ctl
