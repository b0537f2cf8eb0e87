// Which interfaces the datapath is on: as configured by name or pattern, and again where one comes
// back or gets another name.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "model/config.h"
#include "service/devices.h"

namespace flare {

/// What `wanted` says of an interface with this name: an entry with the name itself holds before a
/// pattern, the first pattern before the next. Patterns never match `lo`. The result has the name.
std::optional<InterfaceConfig> wanted_for(const std::vector<InterfaceConfig>& wanted,
                                          std::string_view name);

/// Attaches and detaches. Nothing here detaches in order to attach.
class Interfaces {
 public:
  /// Both outlive this.
  Interfaces(Devices& devices, Logger& log) : devices_(devices), log_(log) {}

  /// Attaches to what `wanted` has and is not attached as it says, and detaches from what it does
  /// not have any more. An interface that cannot be attached is told in the log and tried again by
  /// tend(). Interfaces detached by hand are attached again. Fails only where none is attached, and
  /// none is waited for by a pattern.
  Result<void> apply(const std::vector<InterfaceConfig>& wanted, std::uint64_t now_ns);

  /// Follows interfaces that came (back), went, or have another name.
  void tend(std::uint64_t now_ns);

  /// Detaches by hand: from one interface, or from all ("all"). Returns the names.
  Result<std::vector<std::string>> detach(const std::string& name);

  std::size_t attached() const { return attached_.size(); }

 private:
  void follow_attached(const Devices::Names& present);
  void attach_missing(const Devices::Names& present, std::uint64_t now_ns);
  void detach_unwanted();
  void tell_missing() const;
  bool attach(std::uint32_t ifindex, const InterfaceConfig& interface);
  void detach_for(const std::string& name, std::string_view why);
  bool is_left_alone(std::uint32_t ifindex, const std::string& name) const;

  Devices& devices_;
  Logger& log_;
  std::vector<InterfaceConfig> wanted_;
  std::map<std::uint32_t, InterfaceConfig> attached_;  ///< by ifindex, each with its name
  std::map<std::uint32_t, std::uint64_t> retry_ns_;    ///< when to try a failed one again
  std::map<std::string, std::uint32_t> by_hand_;       ///< detached by hand: left alone
  bool cannot_list_ = false;                           ///< as was told in the log
};

}  // namespace flare
