#include "receiver_fixture.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <string_view>

namespace flare::test {
namespace {

template <typename Value>
std::string raw(const Value& value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

}  // namespace

std::string hook_name(flare_hook hook) {
  switch (hook) {
    case FLARE_HOOK_XDP:
      return "Xdp";
    case FLARE_HOOK_TC_INGRESS:
      return "Tc";
    case FLARE_HOOK_TC_COMPANION:
      return "Companion";
    default:
      return "Egress";
  }
}

std::string family_name(Family family) { return family == Family::kV4 ? "V4" : "V6"; }

std::string way_name(const testing::TestParamInfo<Way>& info) {
  return family_name(info.param.family) + hook_name(info.param.hook);
}

std::string stand_name(Stand stand) {
  switch (stand) {
    case Stand::kReceiver:
      return "Receiver";
    case Stand::kBalancer:
      return "Balancer";
    default:
      return "BalancerPlain";
  }
}

std::string ReceiverTest::said(const std::string& word) const {
  if (stand_ == Stand::kReceiver) return word;
  static const std::set<std::string> defects = {
      "land", "spoof", "martian", "bad-checksum-field", "bad-tcp-flags", "bad-transport-header"};
  if (defects.contains(word)) return "malformed";
  return word.starts_with("spill-") ? "forward-" + word.substr(6) : word;
}

void ReceiverTest::build(Family family, Path path,
                         const std::function<void(flare_service&)>& change) {
  scene_ = Scene{};
  scene_.family = family;
  scene_.path = path;
  tcp_ = make_service(scene_.frontend(Protocol::kTcp), Protocol::kTcp, kTcpService);
  udp_ = make_service(scene_.frontend(Protocol::kUdp), Protocol::kUdp, kUdpService);
  const bool balances = stand_ != Stand::kReceiver;
  const flare_tier tier = balances ? FLARE_TIER_VM : FLARE_TIER_SERVERLESS;
  make_backend(scene_.backend(Protocol::kTcp), 1, kTcpService, tier);
  make_backend(scene_.backend(Protocol::kUdp), 2, kUdpService, tier);
  auto settings = maps().settings.lookup(0);
  ASSERT_TRUE(settings);
  settings->plain_replies = stand_ == Stand::kBalancerPlain;
  ASSERT_TRUE(maps().settings.update(0, *settings));
  adjust([&](flare_service& service) {
    service.snat_count = 2;
    service.snat[1] = raw_addr(scene_.other_nat_ip());
    if (balances) {
      service.placement = FLARE_PLACEMENT_BALANCER;
      service.share = 0;
      service.snat_mode = stand_ == Stand::kBalancerPlain ? FLARE_SNAT_NEVER : FLARE_SNAT_ALWAYS;
    }
    if (change) change(service);
  });
}

void ReceiverTest::adjust(const std::function<void(flare_service&)>& change) {
  for (Service* service : {&tcp_, &udp_}) {
    change(service->value);
    service->put(maps());
  }
}

void ReceiverTest::set_backend_state(flare_backend_state state) {
  for (std::uint32_t id : {1U, 2U}) {
    auto backend = maps().backends.lookup(id);
    ASSERT_TRUE(backend);
    backend->state = state;
    ASSERT_TRUE(maps().backends.update(id, *backend));
  }
}

void ReceiverTest::find_nat() {
  std::uint64_t newest = 0;
  const auto look = [&](const flare_flow_key& key, const flare_flow& flow) {
    if (flow.dir != FLARE_DIR_REVERSE || flow.created_ns < newest) return;
    newest = flow.created_ns;
    scene_.nat_ip = Address{key.dst}.text();
    scene_.nat_port = ntohs(key.dport);
  };
  ASSERT_TRUE(maps().embryos.for_each(look));
  ASSERT_TRUE(maps().flows.for_each(look));
}

void ReceiverTest::bring_about(Given given) {
  const auto run = [this](const Packet& packet) {
    return run_packet(FLARE_HOOK_TC_INGRESS, packet).reason;
  };
  const std::string opened = said("spill-new"), known = said("spill-known"),
                    replied = said("spill-reply");
  switch (given) {
    case Given::kNothing:
      return;
    case Given::kVmTcp:
      adjust([](flare_service& service) { service.share = 0; });
      ASSERT_EQ(run(scene_.segment()), "vm-new");
      adjust([](flare_service& service) { service.share = FLARE_SHARE_ONE; });
      return;
    case Given::kSpilledUdp:
    case Given::kFirstFragment: {
      const Packet datagram = scene_.datagram();
      ASSERT_EQ(run(given == Given::kSpilledUdp ? datagram : Scene::first_fragment(datagram)),
                opened);
      find_nat();
      ASSERT_EQ(run(scene_.reply_datagram()), replied);
      return;
    }
    case Given::kSpilledSyn:
    case Given::kSpilledTcp:
    case Given::kClosedTcp:
    case Given::kResetTcp:
      ASSERT_EQ(run(scene_.segment()), opened);
      find_nat();
      if (given == Given::kSpilledSyn) return;
      ASSERT_EQ(run(scene_.reply_segment(TcpFlags::kSyn | TcpFlags::kAck)), replied);
      ASSERT_EQ(run(scene_.segment(TcpFlags::kAck)), known);
      if (given == Given::kResetTcp) {
        ASSERT_EQ(run(scene_.reply_segment(TcpFlags::kRst)), replied);
      } else if (given == Given::kClosedTcp) {
        ASSERT_EQ(run(scene_.segment(TcpFlags::kFin | TcpFlags::kAck)), known);
        ASSERT_EQ(run(scene_.reply_segment(TcpFlags::kFin | TcpFlags::kAck)), replied);
      }
      return;
  }
}

MapImage ReceiverTest::image() const {
  MapImage image;
  const auto take = [&image](const auto& key, const auto& value) {
    image.flows.push_back(raw(key) + raw(value));
  };
  EXPECT_TRUE(maps().flows.for_each(take));
  EXPECT_TRUE(maps().embryos.for_each(take));
  EXPECT_TRUE(maps().fragments.for_each(take));
  std::sort(image.flows.begin(), image.flows.end());
  for (std::uint32_t id : {kTcpService, kUdpService})
    image.admission += raw(maps().admission.read(id));
  image.vm_flows = digest_of_vm_flows();
  return image;
}

void ReceiverTest::expect_ignored(flare_hook hook, const Bytes& frame, const std::string& reason) {
  const MapImage before = image();
  const auto tcp_before = tcp_counters().tier[FLARE_TIER_SERVERLESS].packets_in;
  const Outcome outcome = run_frame(hook, frame);
  EXPECT_EQ(outcome.reason, reason);
  EXPECT_EQ(outcome.verdict, verdicts(hook).pass);
  EXPECT_EQ(hex_dump(outcome.bytes), hex_dump(frame));
  EXPECT_TRUE(image() == before) << "a map changed";
  EXPECT_EQ(tcp_counters().tier[FLARE_TIER_SERVERLESS].packets_in, tcp_before);
}

void ReceiverTest::expect_passed(flare_hook hook, const Bytes& frame, const std::string& reason) {
  const MapImage before = image();
  const Outcome outcome = run_frame(hook, frame);
  EXPECT_EQ(outcome.reason, reason);
  EXPECT_EQ(outcome.verdict, verdicts(hook).pass);
  EXPECT_EQ(hex_dump(outcome.bytes), hex_dump(frame));
  EXPECT_TRUE(image().flows == before.flows) << "an entry was made or changed";
}

Outcome ReceiverTest::expect_sent(flare_hook hook, const Packet& packet, const Packet& expected,
                                  const std::string& reason) {
  Outcome outcome = run_packet(hook, packet);
  EXPECT_EQ(outcome.reason, reason);
  EXPECT_EQ(outcome.verdict, verdicts(hook).forward);
  EXPECT_EQ(hex_dump(outcome.bytes), hex_dump(expected.bytes()));
  return outcome;
}

void ReceiverTest::expect_dropped(flare_hook hook, const Bytes& frame, const std::string& reason) {
  const MapImage before = image();
  const Outcome outcome = run_frame(hook, frame);
  EXPECT_EQ(outcome.reason, reason);
  EXPECT_EQ(outcome.verdict, verdicts(hook).drop);
  EXPECT_TRUE(image().flows == before.flows) << "an entry was made or changed";
}

}  // namespace flare::test
