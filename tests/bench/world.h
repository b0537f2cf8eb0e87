// The world that flare_bench measures in: a network namespace with one way out, the shipped
// programs with their maps at full size, services with backends, and any number of spilled flows.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "kernel/datapath.h"
#include "support/packet.h"

namespace flare::bench {

enum class Family : std::uint8_t { kV4, kV6 };

/// The three services of each family and protocol.
enum class Role : std::uint8_t {
  kCalm,  ///< port 80: share 0, a token bucket that never runs out; all spilled flows are its own
  kSpilling,  ///< port 81: the share sends every new flow away, within limits that are never
              ///< reached
  kBalanced,  ///< port 82: a balancer's, all of it to the backends of its VM tier, by SNAT
};

/// Translated flows that exist before the packets come: flow n is that of client n.
struct FlowSet {
  Family family = Family::kV4;
  Protocol protocol = Protocol::kTcp;
  std::uint32_t count = 0;
  Role role = Role::kCalm;  ///< whose they are: kCalm's are spilled, kBalanced's of the VM tier
};

/// First addresses: flow n has the address its number gives, see plan.h.
std::string spilled_client(Family family);
std::string other_client(Family family);
std::string first_backend(Family family);
std::string host_address(Family family);
/// "192.0.2.1:80" or "[2001:db8::1]:80".
std::string at(const std::string& address, std::uint16_t port);
constexpr std::uint16_t service_port(Role role) {
  return static_cast<std::uint16_t>(80 + static_cast<int>(role));
}
constexpr std::uint16_t kBackendPort = 8080;

/// Throws std::runtime_error where it cannot be built: nothing then stays behind.
class World {
 public:
  World();

  Datapath& datapath() { return *datapath_; }
  const Maps& maps() const { return datapath_->maps(); }
  std::uint32_t ifindex() const { return ifindex_; }
  static std::string pin_dir() { return "/sys/fs/bpf/flare-bench"; }

  /// Records the flows as established, as the datapath would have left them.
  void spill(const FlowSet& flows);
  /// Forgets them, and that there ever were any.
  void forget(const FlowSet& flows);
  /// Empties the table of unfinished handshakes.
  void forget_embryos();

 private:
  void add_services(Family family, Protocol protocol);

  std::uint32_t ifindex_ = 0;
  std::unique_ptr<Datapath> datapath_;
};

}  // namespace flare::bench
