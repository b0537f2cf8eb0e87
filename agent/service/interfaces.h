// Which interfaces the datapath is on: as configured, and again where one comes back.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "kernel/datapath.h"
#include "model/config.h"

namespace flare {

/// Attaches and detaches. Nothing here detaches in order to attach.
class Interfaces {
 public:
  /// Both outlive this.
  Interfaces(Datapath& datapath, Logger& log) : datapath_(datapath), log_(log) {}

  /// Attaches to what `wanted` has and is not attached as it says, and detaches from what it does
  /// not have any more. An interface that cannot be attached is told in the log and tried again by
  /// tend(). Interfaces detached by hand are attached again. Fails only where none is attached.
  Result<void> apply(const std::vector<InterfaceConfig>& wanted);

  /// Attaches to interfaces that came (back) since.
  void tend(std::uint64_t now_ns);

  /// Detaches by hand: from one interface, or from all ("all"). Returns the names.
  Result<std::vector<std::string>> detach(const std::string& name);

 private:
  struct Attached {
    std::uint32_t ifindex = 0;
    InterfaceConfig config;
  };

  bool attach(const InterfaceConfig& interface);

  Datapath& datapath_;
  Logger& log_;
  std::vector<InterfaceConfig> wanted_;
  std::map<std::string, Attached> attached_;
  std::map<std::string, std::uint64_t> retry_ns_;  ///< when to try a failed one again
  std::set<std::string> by_hand_;                  ///< detached by hand: left alone
};

}  // namespace flare
