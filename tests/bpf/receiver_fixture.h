// A receiver, or a balancer, with a TCP and a UDP service on the shipped programs, and what the
// suites here ask it: bring a flow about, run one packet, compare every map with what it held
// before.
#pragma once

#include <algorithm>
#include <array>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "scene.h"
#include "support/datapath_fixture.h"

namespace flare::test {

/// What went before the packet under test. The flow is the client's, port 40000.
enum class Given {
  kNothing,
  kVmTcp,          ///< a SYN of it was left to the VM tier
  kSpilledSyn,     ///< its SYN was spilled, the backend has not answered
  kSpilledTcp,     ///< established
  kClosedTcp,      ///< FIN from both sides
  kResetTcp,       ///< RST from the backend
  kSpilledUdp,     ///< a datagram was spilled and answered
  kFirstFragment,  ///< as kSpilledUdp, by the first fragment (id 77) of a datagram
};

/// Where Flare sits: whose packets are translated, and how.
enum class Stand {
  kReceiver,       ///< the whole share is spilled
  kBalancer,       ///< nothing is spilled, the VM tier has the backends; from an address of ours
  kBalancerPlain,  ///< as that, from the client's own address
};
std::string stand_name(Stand stand);

/// The contents of the maps that packets may change, byte by byte.
struct MapImage {
  std::vector<std::string> flows;  ///< `flows`, `embryos` and `fragments`, sorted
  std::string admission;
  std::uint64_t vm_flows = 0;  ///< a digest of the array
  bool operator==(const MapImage&) const = default;
};

class ReceiverTest : public DatapathTest {
 protected:
  static constexpr std::uint32_t kTcpService = 1, kUdpService = 2;

  /// Services 1 (TCP) and 2 (UDP), whole share to serverless, a backend each. `adjust` may change
  /// the settings of both before they are written.
  void build(Family family, Path path = Path::kPlain,
             const std::function<void(flare_service&)>& adjust = {});
  /// Where the services of the next build() sit.
  void stand_at(Stand stand) { stand_ = stand; }
  /// A receiver's word for what becomes of a packet, as it is said where we stand.
  std::string said(const std::string& word) const;
  /// Writes changed settings of both services.
  void adjust(const std::function<void(flare_service&)>& change);
  void set_backend_state(flare_backend_state state);

  void bring_about(Given given);
  /// Reads NAT address and port of the newest reverse entry into the scene.
  void find_nat();
  MapImage image() const;

  /// Runs `frame`: it must pass as it is, counted as `reason`, and no map may change.
  void expect_ignored(flare_hook hook, const Bytes& frame, const std::string& reason);
  /// Runs `frame`: it must pass as it is and make no entry; admission may be charged.
  void expect_passed(flare_hook hook, const Bytes& frame, const std::string& reason);
  /// Runs `frame`: it must be sent, as `expected`. Returns what came out.
  Outcome expect_sent(flare_hook hook, const Packet& frame, const Packet& expected,
                      const std::string& reason);
  void expect_dropped(flare_hook hook, const Bytes& frame, const std::string& reason);

  flare_service_counters tcp_counters() const { return service_counters(kTcpService); }
  flare_service_counters udp_counters() const { return service_counters(kUdpService); }

  Scene scene_;
  Service tcp_, udp_;
  Stand stand_ = Stand::kReceiver;
};

/// The hooks that packets come in by.
inline constexpr std::array kIngressHooks = {FLARE_HOOK_XDP, FLARE_HOOK_TC_INGRESS};
std::string hook_name(flare_hook hook);
std::string family_name(Family family);

/// Suites that say the same of both families and of XDP and tc.
struct Way {
  Family family;
  flare_hook hook;
};
class EachWay : public ReceiverTest, public testing::WithParamInterface<Way> {
 protected:
  void SetUp() override {
    ReceiverTest::SetUp();
    build(GetParam().family);
  }
  flare_hook hook() const { return GetParam().hook; }
  bool v4() const { return scene_.v4(); }
};
std::string way_name(const testing::TestParamInfo<Way>& info);
inline constexpr std::array kWays = {
    Way{Family::kV4, FLARE_HOOK_XDP}, Way{Family::kV4, FLARE_HOOK_TC_INGRESS},
    Way{Family::kV6, FLARE_HOOK_XDP}, Way{Family::kV6, FLARE_HOOK_TC_INGRESS}};
/// Those of `kWays` that a suite has something to say of.
template <class Predicate>
std::vector<Way> ways(Predicate predicate) {
  std::vector<Way> chosen;
  std::copy_if(kWays.begin(), kWays.end(), std::back_inserter(chosen), predicate);
  return chosen;
}

}  // namespace flare::test
