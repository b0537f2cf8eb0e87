// P1: every good packet, cut after each of its bytes; what is cut passes as it is and changes
// nothing. XDP runs all of them from 14 bytes on, tc those that the kernel lets it see.
#include "receiver_fixture.h"

namespace flare::test {
namespace {

/// The reasons that a packet may be passed for when its end is missing.
bool is_cut_reason(const std::string& reason) {
  return reason == "truncated" || reason == "icmp-no-flow" || reason == "bad-ext-header";
}

class Truncation : public EachWay {
 protected:
  /// Runs all prefixes of `packet` from 14 bytes on, but the whole of it.
  void expect_prefixes_ignored(const Packet& packet) {
    const Bytes whole = packet.bytes();
    const MapImage before = image();
    for (std::size_t size = 14; size + packet.frame_padding < whole.size(); ++size) {
      SCOPED_TRACE("cut to " + std::to_string(size) + " of " + std::to_string(whole.size()));
      const Bytes frame(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      if (!kernel_runs(hook(), frame)) continue;
      const Outcome outcome = run_frame(hook(), frame);
      EXPECT_EQ(outcome.verdict, verdicts(hook()).pass);
      EXPECT_TRUE(is_cut_reason(outcome.reason)) << outcome.reason;
      EXPECT_EQ(outcome.bytes, frame);
    }
    EXPECT_TRUE(image() == before) << "a map changed";
  }
};

TEST_P(Truncation, OfASegment) {
  Packet packet = scene_.segment();
  packet.tcp_options = {2, 4, 5, 180, 1, 3, 3, 7};
  expect_prefixes_ignored(packet);
  bring_about(Given::kSpilledTcp);
  packet = scene_.segment(TcpFlags::kAck);
  packet.payload = to_bytes("data");
  expect_prefixes_ignored(packet);
  expect_prefixes_ignored(scene_.reply_segment());
}

TEST_P(Truncation, OfADatagram) {
  expect_prefixes_ignored(scene_.datagram());
  bring_about(Given::kSpilledUdp);
  expect_prefixes_ignored(scene_.datagram());
  expect_prefixes_ignored(scene_.reply_datagram());
}

TEST_P(Truncation, OfTaggedAndPaddedFrames) {
  Packet packet = scene_.segment();
  packet.vlan_tags = {7, 100};
  expect_prefixes_ignored(packet);
  packet.frame_padding = 6;
  expect_prefixes_ignored(packet);
}

TEST_P(Truncation, OfOptionsAndExtensions) {
  Packet packet = scene_.segment();
  if (v4()) {
    packet.ip_options = {7, 15, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  } else {
    packet.extensions = {{0, {}}, {60, Bytes(14, 0)}, {43, Bytes(22, 0)}};
  }
  expect_prefixes_ignored(packet);
}

TEST_P(Truncation, OfFragments) {
  expect_prefixes_ignored(Scene::first_fragment(scene_.datagram()));
  bring_about(Given::kFirstFragment);
  expect_prefixes_ignored(Scene::later_fragment(Scene::first_fragment(scene_.datagram()), 16, 24));
}

TEST_P(Truncation, OfAnIcmpError) {
  bring_about(Given::kSpilledTcp);
  expect_prefixes_ignored(scene_.error_about(scene_.to_backend(scene_.segment())));
}

INSTANTIATE_TEST_SUITE_P(Ways, Truncation, testing::ValuesIn(kWays), way_name);

}  // namespace
}  // namespace flare::test
