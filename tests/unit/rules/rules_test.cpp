// The judge itself (tests/fuzz/datapath/rules.h): packets that keep the five rules pass, and each
// way to break one of them, alone, is found and named.
#include "datapath/rules.h"

#include <gtest/gtest.h>
#include <linux/bpf.h>

#include <cstring>
#include <functional>

#include "support/packet.h"

namespace flare::fuzz {
namespace {

using test::Packet;
using test::TcpFlags;

/// Maps as a test fills them.
class SomeFlows : public Ground {
 public:
  void put(const flare_flow_key& key, const flare_flow_key& peer) {
    flare_flow flow{};
    flow.peer = peer;
    flows.emplace_back(key, flow);
  }
  std::optional<flare_flow> find_flow(const flare_flow_key& key) override {
    for (const auto& [at, flow] : flows)
      if (std::memcmp(&at, &key, sizeof key) == 0) return flow;
    return std::nullopt;
  }
  bool moves() override { return moving; }
  bool evicts() override { return false; }

  std::vector<std::pair<flare_flow_key, flare_flow>> flows;
  bool moving = false;
};

enum class Family { kV4, kV6 };

class Rules : public testing::TestWithParam<Family> {
 protected:
  bool v4() const { return GetParam() == Family::kV4; }
  std::string client() const { return v4() ? "198.51.100.7:40000" : "[2001:db8:c::7]:40000"; }
  std::string frontend() const { return v4() ? "192.0.2.1:80" : "[2001:db8::1]:80"; }
  std::string nat() const { return v4() ? "192.0.2.1:20000" : "[2001:db8::1]:20000"; }
  std::string backend() const { return v4() ? "203.0.113.10:8080" : "[2001:db8:5::10]:8080"; }

  Packet asked(std::uint8_t flags = TcpFlags::kAck) const {
    Packet packet = test::tcp(client(), frontend(), flags);
    packet.payload = test::to_bytes("GET / HTTP/1.1");
    return packet;
  }
  Packet sent_on() const {
    Packet packet = test::tcp(nat(), backend(), TcpFlags::kAck);
    packet.payload = asked().payload;
    packet.ttl = 63;
    return packet;
  }

  void arrive(const Packet& packet, bool ours, flare_hook hook = FLARE_HOOK_XDP) {
    in_ = {};
    in_.hook = hook;
    in_.frame = packet.bytes();
    in_.view = FrameView::of(in_.frame);
    in_.service = ours ? &service_ : nullptr;
    in_.entries = 7;
  }
  void leave(Frame frame, int verdict, unsigned reason) {
    out_ = {};
    out_.verdict = verdict;
    out_.frame = std::move(frame);
    out_.view = FrameView::of(out_.frame);
    out_.reason = reason;
    out_.counted = 1;
    out_.entries = in_.entries;
  }
  void leave(const Packet& packet) { leave(packet.bytes(), out_.verdict, out_.reason); }
  void pass(unsigned reason) { leave(in_.frame, verdicts_of(in_.hook).pass, reason); }
  void drop(unsigned reason) { leave(in_.frame, verdicts_of(in_.hook).drop, reason); }
  void flip(std::size_t at) {
    Frame frame = out_.frame;
    frame[at] = static_cast<std::uint8_t>(frame[at] ^ 1);
    leave(std::move(frame), out_.verdict, out_.reason);
  }
  std::size_t tcp_sum() const { return out_.view.l4 + 16; }

  /// The rule that is broken, in the judge's words; empty where all hold.
  std::string judged() {
    try {
      judge(ground_, in_, out_);
    } catch (const RuleBroken& broken) {
      const std::string text = broken.what();
      return text.substr(0, text.find('\n'));
    }
    return "";
  }
  void find(const std::string& rule, const std::function<void()>& good,
            const std::function<void()>& spoil) {
    ground_ = {};
    service_ = {};
    good();
    ASSERT_EQ(judged(), "") << "before it is broken: " << rule;
    spoil();
    EXPECT_EQ(judged(), "rule broken: " + rule);
  }

  flare_service service_{};
  SomeFlows ground_;
  Arrived in_;
  Left out_;
};

TEST_P(Rules, OfATranslatedPacket) {
  const auto good = [this] {
    arrive(asked(), true);
    leave(sent_on().bytes(), XDP_TX, FLARE_REASON_SPILL_KNOWN);
    const flare_flow_key reply = turned_round(out_.view.key);
    ground_.put(in_.view.key, reply);
    ground_.put(reply, in_.view.key);
  };
  const auto changed = [this](const std::function<void(Packet&)>& change) {
    Packet packet = sent_on();
    change(packet);
    leave(packet);
  };
  find("1: the verdict is pass, drop or send", good, [this] { out_.verdict = XDP_ABORTED; });
  find("1: the reason says forward", good, [this] { out_.verdict = XDP_DROP; });
  for (const unsigned counted : {0U, 2U})
    find("2: exactly one reason is counted, at its hook", good, [&] { out_.counted = counted; });
  find("2: exactly one reason is counted, at its hook", good,
       [this] { out_.reason = FLARE_REASONS_COUNT; });
  find("4: translated: still what it was", good, [this] {
    Frame cut = out_.frame;
    cut.pop_back();
    leave(std::move(cut), out_.verdict, out_.reason);
  });
  for (const std::uint8_t ttl : {std::uint8_t{64}, std::uint8_t{62}})
    find("4: translated: a hop less to live", good,
         [&] { changed([&](Packet& packet) { packet.ttl = ttl; }); });
  find("4: translated: sums as they were", good, [this] { flip(tcp_sum()); });
  if (v4()) find("4: translated: sums as they were", good, [this] { flip(out_.view.l3 + 10); });
  find("4: translated: the rest is as it was", good,
       [&] { changed([](Packet& packet) { packet.payload[3] = 'x'; }); });
  find("4: translated: the rest is as it was", good,
       [&] { changed([](Packet& packet) { packet.payload.push_back('x'); }); });
  find("4: translated: the rest is as it was", good,
       [&] { changed([](Packet& packet) { --packet.window; }); });
  find("4: translated: its flow is recorded", good, [this] { ground_.flows.clear(); });
  find("4: translated: as its flow says", good,
       [&] { changed([](Packet& packet) { ++packet.dport; }); });
  find("4: translated: as its flow says", good,
       [&] { changed([this](Packet& packet) { packet.dst = asked().src; }); });
  find("4: translated: the maps hold the way back", good, [this] { ground_.flows.pop_back(); });
  find("4: translated: the maps hold the way back", good,
       [this] { ++ground_.flows.back().second.peer.sport; });
}

TEST_P(Rules, OfALaterFragment) {
  Packet piece = asked(), becomes = sent_on();
  for (Packet* each : {&piece, &becomes}) {
    each->fragment_offset = 1280;
    if (!v4()) each->fragment_id = 5;
    each->sport = each->dport = 0;  // there are none, but bytes of the payload
    each->checksum = 0;
  }
  const auto good = [&] {
    arrive(piece, false);
    in_.known = true;
    leave(becomes.bytes(), XDP_TX, FLARE_REASON_SPILL_FRAGMENT);
  };
  find("4: translated: the rest is as it was", good, [this] { flip(out_.frame.size() - 1); });
}

TEST_P(Rules, OfWhatIsNotOurs) {
  const auto good = [this] {
    arrive(test::tcp(client(), backend()), false);
    pass(FLARE_REASON_NOT_SERVICE);
  };
  find("3: not ours: passes as it came", good, [this] { flip(tcp_sum()); });
  find("3: not ours: passes as it came", good, [this] { drop(FLARE_REASON_MALFORMED); });
  find("3: not ours: makes no entry", good, [this] { ++out_.entries; });
  find("1: the reason says pass", good, [this] { drop(FLARE_REASON_NOT_SERVICE); });
  find("1: the reason says drop", good, [this] { pass(FLARE_REASON_MALFORMED); });
  find("1: the reason says answer, or drop", good, [this] { pass(FLARE_REASON_OVERLOAD_REJECT); });
}

TEST_P(Rules, OfWhatPasses) {
  const auto good = [this] {
    arrive(asked(), true);
    pass(FLARE_REASON_VM_KNOWN);
  };
  find("1: what passes is as it came", good, [this] { flip(0); });
  const auto punted = [this] {
    arrive(asked(), true);
    pass(FLARE_REASON_PUNT_DEVICE);
  };
  find("1: only XDP has somebody to punt to", punted, [this] {
    arrive(asked(), true, FLARE_HOOK_TC_INGRESS);
    pass(FLARE_REASON_PUNT_DEVICE);
  });
}

TEST_P(Rules, OfWhatIsMalformed) {
  std::vector<Packet> bad = {asked(TcpFlags::kSyn | TcpFlags::kFin), asked(0), asked(), asked(),
                             asked()};
  bad[2].data_offset = 4;
  bad[3].src = bad[3].dst;
  bad[4].src = *Address::parse(v4() ? "127.0.0.1" : "::1");
  if (!v4()) {
    bad.push_back(test::udp(client(), frontend()));
    bad.back().checksum = 0;
  }
  for (std::size_t each = 0; each < bad.size(); ++each) {
    SCOPED_TRACE(each);
    const auto dropped = [&] {
      service_.placement = FLARE_PLACEMENT_BALANCER;
      arrive(bad[each], true);
      drop(FLARE_REASON_MALFORMED);
    };
    find("5: malformed: dropped at a balancer", dropped,
         [this] { pass(FLARE_REASON_BAD_TCP_FLAGS); });
    find("5: malformed: makes no entry", dropped, [this] { ++out_.entries; });
    const auto passed = [&] {
      arrive(bad[each], true);
      pass(FLARE_REASON_BAD_TCP_FLAGS);
    };
    find("5: malformed: passes as it came", passed, [this] { drop(FLARE_REASON_MALFORMED); });
  }
  const auto unread = [this] {
    Packet packet = test::udp(client(), frontend());
    packet.udp_length = 4;
    arrive(packet, true);
    pass(FLARE_REASON_BAD_TRANSPORT_HEADER);
  };
  find("5: malformed, unread: passes as it came", unread, [this] { drop(FLARE_REASON_MALFORMED); });
}

TEST_P(Rules, OfAReset) {
  Packet reset = test::tcp(frontend(), client(), TcpFlags::kRst);
  std::swap(reset.dst_mac, reset.src_mac);
  reset.seq = asked().ack;
  const auto good = [&] {
    arrive(asked(), true);
    leave(reset.bytes(), XDP_TX, FLARE_REASON_OVERLOAD_REJECT);
  };
  const auto changed = [&](const std::function<void(Packet&)>& change) {
    Packet packet = reset;
    change(packet);
    leave(packet);
  };
  find("4: answer: only to plain packets", good, [this] {
    Packet tagged = asked();
    tagged.vlan_tags = {7};
    in_.frame = tagged.bytes();
    in_.view = FrameView::of(in_.frame);
  });
  find("4: answer: is a packet", good, [&] { changed([](Packet& packet) { packet.ttl = 63; }); });
  find("4: answer: to the link's sender", good, [this] { flip(0); });
  find("4: answer: to the sender", good, [&] { changed([](Packet& packet) { ++packet.dport; }); });
  if (v4())
    find("4: answer: sum of the IP header as it was", good, [this] { flip(out_.view.l3 + 10); });
  find("4: answer: right sums", good, [this] { flip(tcp_sum()); });
  for (const std::function<void(Packet&)>& change :
       {std::function([](Packet& packet) { ++packet.seq; }),
        std::function([](Packet& packet) { ++packet.ack; }),
        std::function([](Packet& packet) { packet.tcp_flags = TcpFlags::kFin; })})
    find("4: answer: the reset of RFC 9293, 3.10.7.1", good, [&] { changed(change); });
}

TEST_P(Rules, OfAnIcmpError) {
  const Packet question = test::udp(client(), frontend());
  const auto error_of = [&](const Packet& quoted) {
    Packet error = test::icmp_error(question.dst.text(), question.src.text(), v4() ? 3 : 1,
                                    v4() ? 3 : 4, 0, quoted.ip_bytes());
    std::swap(error.dst_mac, error.src_mac);
    return error;
  };
  const auto good = [&] {
    arrive(question, true);
    leave(error_of(question).bytes(), XDP_TX, FLARE_REASON_OVERLOAD_REJECT);
  };
  find("4: answer: quotes the packet", good, [&] {
    Packet other = question;
    ++other.sport;
    leave(error_of(other));
  });
  find("4: answer: right sums", good, [this] { flip(out_.view.l4 + 2); });
  if (v4()) find("4: answer: right sums", good, [this] { flip(out_.view.l3 + 10); });
}

TEST_P(Rules, OfAConnectionThatIsToldToEnd) {
  Packet told = asked();
  told.payload = test::to_bytes("GET / HTTP/1.0");
  const auto good = [&] {
    ground_.moving = true;
    arrive(asked(), true);
    leave(told.bytes(), XDP_PASS, FLARE_REASON_VM_KNOWN);
  };
  find("4: told to end: still what it was", good, [&] {
    Packet other = told;
    ++other.sport;
    leave(other);
  });
  find("4: told to end: sums as they were", good, [this] { flip(tcp_sum()); });
  find("1: what passes is as it came", good, [this] { ground_.moving = false; });
}

INSTANTIATE_TEST_SUITE_P(Families, Rules, testing::Values(Family::kV4, Family::kV6),
                         [](const auto& family) {
                           return family.param == Family::kV4 ? "V4" : "V6";
                         });

}  // namespace
}  // namespace flare::fuzz
