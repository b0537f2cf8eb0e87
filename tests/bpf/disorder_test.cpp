// P21: what a bad network does to packets of open flows. Each comes twice, in any order, one in ten
// is lost, one bit in one of a hundred is wrong: no state beyond the flows', no wrong translation.
// The seed is fixed.
#include <algorithm>
#include <random>

#include "packet_case.h"

namespace flare::test {
namespace {

constexpr int kTcpFlows = 40, kUdpFlows = 10;
constexpr int kRounds = 8;  ///< packets of each flow and direction

/// A flow as its two ends know it.
struct Talk {
  Scene scene;  ///< with its NAT port
  Protocol protocol = Protocol::kTcp;
  std::uint16_t port = 0;  ///< the client's

  Packet from_client(int round) const {
    const std::string src = scene.client(port), dst = scene.frontend(protocol);
    Packet packet = protocol == Protocol::kTcp ? tcp(src, dst, TcpFlags::kAck) : udp(src, dst);
    return numbered(std::move(packet), round);
  }
  Packet from_backend(int round) const {
    const std::string src = scene.backend(protocol), dst = scene.nat();
    Packet packet = protocol == Protocol::kTcp ? tcp(src, dst, TcpFlags::kAck) : udp(src, dst);
    return numbered(std::move(packet), round);
  }
  Bytes to_backend(const Packet& packet) const { return scene.to_backend(packet).bytes(); }
  Bytes to_client(const Packet& packet) const {
    return scene.sent_on(packet, scene.frontend(protocol), scene.client(port)).bytes();
  }

 private:
  static Packet numbered(Packet packet, int round) {
    packet.seq += static_cast<std::uint32_t>(round) * 100;
    packet.payload = Bytes(static_cast<std::size_t>(1 + round * 13),
                           static_cast<Bytes::value_type>('a' + round));
    return packet;
  }
};

/// A packet under way, and what must become of it.
struct Sent {
  Bytes frame, becomes;
  const char* reason;
};

class Disorder : public EachWay {
 protected:
  void open(Protocol protocol, std::uint16_t port) {
    Talk talk{scene_, protocol, port};
    const Packet first = protocol == Protocol::kTcp
                             ? tcp(scene_.client(port), scene_.frontend(), TcpFlags::kSyn)
                             : talk.from_client(0);
    ASSERT_EQ(run_packet(hook(), first).reason, "spill-new");
    ASSERT_EQ(run_packet(hook(), first).reason, "spill-known") << "it came twice";
    find_nat();
    talk.scene = scene_;
    Packet answer = talk.from_backend(0);
    if (protocol == Protocol::kTcp) answer.tcp_flags = TcpFlags::kSyn | TcpFlags::kAck;
    ASSERT_EQ(run_packet(hook(), answer).reason, "spill-reply");
    ASSERT_EQ(run_packet(hook(), talk.from_client(0)).reason, "spill-known");
    talks_.push_back(std::move(talk));
  }

  /// Everything that the flows say, each packet twice, in any order, without one in ten.
  std::vector<Sent> storm() {
    std::vector<Sent> all;
    for (const Talk& talk : talks_)
      for (int round = 0; round < kRounds; ++round)
        for (int copy = 0; copy < 2; ++copy) {
          const Packet out = talk.from_client(round), back = talk.from_backend(round);
          all.push_back({out.bytes(), talk.to_backend(out), "spill-known"});
          all.push_back({back.bytes(), talk.to_client(back), "spill-reply"});
        }
    std::shuffle(all.begin(), all.end(), random_);
    const std::size_t arriving = all.size() - all.size() / 10;
    lost_ = all.size() - arriving;
    all.resize(arriving);
    return all;
  }

  /// Turns one bit behind the link addresses; not among TCP's flags, as those would end the flow.
  void corrupt(Bytes& frame) {
    const std::size_t flags = v4() ? 47 : 67;
    std::size_t at = flags;
    while (at == flags) at = 12 + random_() % (frame.size() - 12);
    frame[at] = static_cast<std::uint8_t>(frame[at] ^ (1U << random_() % 8));
  }

  std::vector<Talk> talks_;
  std::mt19937 random_{20261126};
  std::size_t lost_ = 0;
};

TEST_P(Disorder, MakesNoStateAndNoWrongTranslation) {
  count_entries_every(20);
  for (int i = 0; i < kTcpFlows && !HasFailure(); ++i)
    open(Protocol::kTcp, static_cast<std::uint16_t>(30'000 + i));
  for (int i = 0; i < kUdpFlows && !HasFailure(); ++i)
    open(Protocol::kUdp, static_cast<std::uint16_t>(30'000 + i));
  ASSERT_EQ(talks_.size(), std::size_t{kTcpFlows + kUdpFlows});
  ASSERT_EQ(entries_of_everything(), 2 * talks_.size());

  std::size_t packets = 0, corrupted = 0, strange = 0;
  for (Sent& sent : storm()) {
    if (HasFailure()) break;
    ++packets;
    if (random_() % 100 == 0) {
      corrupt(sent.frame);
      if (!kernel_runs(hook(), sent.frame)) continue;
      ++corrupted;
      // by the five rules alone; a datagram with another port is another flow
      if (run_frame(hook(), sent.frame).reason == "spill-new") ++strange;
      continue;
    }
    const Outcome outcome = run_frame(hook(), sent.frame);
    EXPECT_EQ(outcome.reason, sent.reason);
    EXPECT_EQ(outcome.verdict, verdicts(hook()).forward);
    EXPECT_EQ(hex_dump(outcome.bytes), hex_dump(sent.becomes));
  }
  EXPECT_EQ(entries_of_flows() + entries_of_embryos(), 2 * (talks_.size() + strange));
  EXPECT_GT(corrupted, 0U);
  EXPECT_EQ(tcp_counters().tier[FLARE_TIER_SERVERLESS].flows_new, std::uint64_t{kTcpFlows});
  RecordProperty("packets", static_cast<int>(packets));
  RecordProperty("lost_on_purpose", static_cast<int>(lost_));
  RecordProperty("corrupted", static_cast<int>(corrupted));
}

INSTANTIATE_TEST_SUITE_P(Ways, Disorder, testing::ValuesIn(kWays), way_name);

}  // namespace
}  // namespace flare::test
