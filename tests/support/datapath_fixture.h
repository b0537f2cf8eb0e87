// The shipped BPF programs in a network of their own, run packet by packet (BPF_PROG_TEST_RUN).
// Each packet is judged by the five rules (packet_judge.h), whatever else a test asks of it.
//
//   client 198.51.100.7, 2001:db8:c::7           serverless 203.0.113.10-13, 2001:db8:5::10-13
//        \____________ gateway 192.0.2.254, 2001:db8::fe ____________/
//                                  |
//                    in0: 192.0.2.1, 2001:db8::1 (this host)
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernel/datapath.h"
#include "support/packet.h"
#include "support/packet_judge.h"
#include "support/vm_flow_walk.h"

namespace flare::test {

/// What one packet met with.
struct Outcome {
  std::uint32_t verdict = 0;  ///< XDP_* or TC_ACT_* as returned
  Bytes bytes;                ///< the frame afterwards
  std::string reason;         ///< the word of the one reason counter that grew
};

enum class Family { kV4, kV6 };

/// Values for TC_ACT_* and XDP_*, by what they mean to the tests.
struct Verdicts {
  std::uint32_t pass, drop, forward;
};

class DatapathTest : public testing::Test {
 public:
  static constexpr const char* kHostMac = "02:00:00:00:00:01";
  static constexpr const char* kGatewayMac = "02:00:00:00:00:fe";
  /// Of side0, the other device, and of what is behind it.
  static constexpr const char* kSideMac = "02:00:00:00:00:03";
  static constexpr const char* kSideNeighbourMac = "02:00:00:00:00:fd";
  static constexpr std::uint16_t kNatMin = 20000, kNatMax = 20999;

  static void SetUpTestSuite();
  static void TearDownTestSuite();

 protected:
  void SetUp() override;
  /// Asserts that as many reasons were counted as packets were run.
  void TearDown() override;
  /// Empties what packets have written: flows, counts, admission; and beats. Services and tables
  /// stay, which take the kernel long to change.
  void forget_packets();

  const Maps& maps() const { return datapath_->maps(); }
  static Datapath& datapath() { return *datapath_; }
  static int ifindex() { return ifindex_; }

  /// Runs one frame through a program, and judges what becomes of it.
  Outcome run_frame(flare_hook hook, const Bytes& frame);
  Outcome run_packet(flare_hook hook, const Packet& packet) {
    return run_frame(hook, packet.bytes());
  }
  /// Whether the kernel runs this frame at all: it refuses those under 14 bytes, and gives tc only
  /// what has a whole IP header (Linux 6.18).
  static bool kernel_runs(flare_hook hook, const Bytes& frame);
  /// Where maps are walked for one packet in so many, to see that they do not grow: for tests of
  /// very many packets.
  void count_entries_every(unsigned packets) { count_every_ = packets; }
  /// Where the packets are judged elsewhere.
  void leave_judging() { judges_ = false; }
  /// As run_frame, without looking at maps and counters for each: for loops over many packets. The
  /// verdict is judged, and the counters at the test's end.
  Outcome run_quietly(flare_hook hook, const Bytes& frame) {
    return run_program(hook, frame, static_cast<std::uint32_t>(ifindex_));
  }
  /// As run_quietly, at tc, for a frame that stands for several segments (GSO).
  Outcome run_super_packet(const Bytes& frame, std::uint32_t segment_bytes) {
    return run_program(FLARE_HOOK_TC_INGRESS, frame, static_cast<std::uint32_t>(ifindex_),
                       segment_bytes);
  }
  /// As a packet that the host itself sends (tc egress), or that came in by `ingress_ifindex`.
  Outcome run_egress(const Bytes& frame, std::uint32_t ingress_ifindex);

  static Verdicts verdicts(flare_hook hook);

  /// A service whose whole share spills, with one backend; change it and call put() again.
  struct Service {
    flare_service_key key{};
    flare_service value{};
    void put(const Maps& maps) const;
  };
  Service make_service(const std::string& frontend, Protocol protocol = Protocol::kTcp,
                       std::uint32_t id = 1);
  /// Registers backend `id` and makes it the only one in the table of the service's tier.
  void make_backend(const std::string& endpoint, std::uint32_t id = 1, std::uint32_t service_id = 1,
                    flare_tier tier = FLARE_TIER_SERVERLESS);
  /// Sets the heartbeat to now.
  void beat();

  flare_service_counters service_counters(std::uint32_t id = 1) const {
    return maps().service_totals(id);
  }
  /// Of all that the VM tier's array holds.
  std::uint64_t digest_of_vm_flows() const { return vm_flow_walk_->digest(); }
  std::uint64_t entries_of_flows() const;
  std::uint64_t entries_of_embryos() const;
  /// Entries of every map that packets may grow.
  std::uint64_t entries_of_everything() const;

  /// The only NAT port in use (reverse entry), host order.
  std::uint16_t nat_port_in_use() const;

 private:
  Outcome run_counted(flare_hook hook, const Bytes& frame, std::uint32_t ingress_ifindex);
  Outcome run_program(flare_hook hook, const Bytes& frame, std::uint32_t ingress_ifindex,
                      std::uint32_t segment_bytes = 0);

  std::uint64_t reasons_counted() const;

  static std::unique_ptr<Datapath> datapath_;
  static std::unique_ptr<VmFlowWalk> vm_flow_walk_;
  static int ifindex_;
  std::uint64_t runs_ = 0, counted_before_ = 0;
  unsigned count_every_ = 1;
  bool judges_ = true;
};

flare_addr raw_addr(const std::string& text);
flare_service_key service_key(const std::string& frontend, Protocol protocol);

}  // namespace flare::test
