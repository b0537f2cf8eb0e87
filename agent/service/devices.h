// Network interfaces as the agent's own parts see them, without a kernel in sight.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "kernel/datapath.h"
#include "model/config.h"

namespace flare {

class Devices {
 public:
  using Names = std::map<std::uint32_t, std::string>;  ///< by ifindex

  virtual ~Devices() = default;

  /// The interfaces that there are now.
  virtual Result<Names> present() const = 0;
  /// What the maps say that we are attached to, from this agent or one before, by its present name
  /// or, where it is gone, by its last one.
  virtual Result<Names> recorded() const = 0;

  /// As Datapath has them.
  virtual Result<Attachment> attach(const InterfaceConfig& interface) = 0;
  virtual Result<bool> detach(const std::string& name) = 0;
  virtual Result<std::vector<std::string>> forget_gone() = 0;
};

/// The kernel's.
class KernelDevices final : public Devices {
 public:
  /// `datapath` outlives this.
  explicit KernelDevices(Datapath& datapath) : datapath_(datapath) {}

  Result<Names> present() const override;
  Result<Names> recorded() const override;
  Result<Attachment> attach(const InterfaceConfig& interface) override {
    return datapath_.attach(interface);
  }
  Result<bool> detach(const std::string& name) override { return datapath_.detach(name); }
  Result<std::vector<std::string>> forget_gone() override { return datapath_.forget_gone(); }

 private:
  Datapath& datapath_;
};

}  // namespace flare
