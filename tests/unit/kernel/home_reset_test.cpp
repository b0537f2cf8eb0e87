// Resets that bring idle connections home: the shipped program on flows and slots written by hand,
// and the frames that it lets in. The datapath is not attached, so that it does not take them.
#include "kernel/home_reset.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <sys/socket.h>

#include <array>
#include <functional>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "kernel_test.h"
#include "model/address.h"
#include "select.bpf.h"
#include "slot_cases.h"
#include "support/packet.h"

namespace flare {
namespace {

using test::Bytes;
using test::Packet;
using test::TcpFlags;
using Frames = std::vector<Bytes>;

constexpr std::uint32_t kService = 1;
constexpr __u64 kHashKey[2] = {0x0123456789abcdef, 0xfedcba9876543210};
constexpr std::uint32_t kClientEnd = 0xfffffff0, kServerEnd = 5000;

flare_flow_key key_of(const std::string& src, const std::string& dst) {
  const Endpoint from = *Endpoint::parse(src), to = *Endpoint::parse(dst);
  flare_flow_key key{};
  key.src = from.address.raw;
  key.dst = to.address.raw;
  key.sport = htons(from.port);
  key.dport = htons(to.port);
  key.proto = IPPROTO_TCP;
  return key;
}

/// A spilled connection: who its packets are from and to, as they come in.
struct Spilled {
  std::string client, frontend, backend, own;

  flare_flow_key forward() const { return key_of(client, frontend); }
  flare_flow_key reverse() const { return key_of(backend, own); }
};

Spilled v4_connection(std::uint16_t port = 40000) {
  const std::string number = std::to_string(port);
  return {"198.51.100.7:" + number, "192.0.2.1:443", "203.0.113.10:8443", "192.0.2.1:" + number};
}
Spilled v6_connection() {
  return {"[2001:db8:c::7]:40000", "[2001:db8::1]:443", "[2001:db8:5::10]:8443",
          "[2001:db8::1]:20001"};
}

/// The frame of a reset, as a sender without link addresses would make it.
Bytes reset(const std::string& src, const std::string& dst, std::uint32_t seq, std::uint32_t ack) {
  Packet packet = test::tcp(src, dst, TcpFlags::kRst | TcpFlags::kAck);
  packet.src_mac = packet.dst_mac = "00:00:00:00:00:00";
  packet.seq = seq;
  packet.ack = ack;
  packet.id = 0;
  packet.window = 0;
  return packet.bytes();
}
Bytes reset_of_backend(const Spilled& one) {
  return reset(one.client, one.frontend, kClientEnd, kServerEnd);
}
Bytes reset_of_client(const Spilled& one) {
  return reset(one.backend, one.own, kServerEnd, kClientEnd);
}

/// Sees what comes in on a device.
class Tap {
 public:
  explicit Tap(const char* device)
      : socket_(::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL))) {
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(::if_nametoindex(device));
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  /// The TCP frames since the last call.
  Frames frames() const {
    Frames taken;
    std::array<std::uint8_t, 2048> buffer{};
    for (;;) {
      const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
      if (got < 0) return taken;
      const bool v4 = buffer[12] == 8 && buffer[13] == 0;
      if (buffer[v4 ? 23 : 20] == IPPROTO_TCP)
        taken.emplace_back(buffer.data(), buffer.data() + got);
    }
  }

 private:
  UniqueFd socket_;
};

class HomeResetTest : public LoadedTest {
 protected:
  void SetUp() override {
    LoadedTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    auto home = HomeReset::load(pin_dir_, maps());
    ASSERT_OK(home);
    home_.emplace(*std::move(home));
    flare_settings settings{};
    settings.heartbeat_bound_ns = 5 * kSecond;
    settings.hash_key[0] = kHashKey[0];
    settings.hash_key[1] = kHashKey[1];
    ASSERT_OK(maps().settings.update(0, settings));
    beat(0);
    ASSERT_OK(home_->set_bound(kService, kBound));
    service_.id = kService;
    service_.move = FLARE_MOVE_CLOSE;
    for (const flare_tier tier : {FLARE_TIER_VM, FLARE_TIER_SERVERLESS}) {
      service_.move_interval_ns[tier] = 1;
      service_.move_depth_ns[tier] = 1000;
    }
    attach("fc0");
    tap_.emplace("fc0");
  }
  void TearDown() override {
    home_.reset();
    LoadedTest::TearDown();
  }

  void beat(std::uint64_t ago_ns) const {
    maps().heartbeat.set(0, &flare_heartbeat::beat_ns, MonotonicClock().now_ns() - ago_ns);
  }
  /// Writes down that the datapath is on a device.
  void attach(const char* device) const {
    ASSERT_OK(maps().interfaces.update(::if_nametoindex(device), flare_interface{}));
  }
  void put_service(const Spilled& one) const {
    const flare_flow_key client = one.forward();
    ASSERT_OK(maps().services.update({client.dst, client.dport, client.proto, 0}, service_));
  }
  /// Both entries of a flow, and its slot: TLS, one request, answered `kSilent` ago.
  void put(const Spilled& one) const {
    put_service(one);
    flare_flow flow{};
    flow.created_ns = flow.seen_ns = MonotonicClock().now_ns() - kSilent;
    flow.service_id = kService;
    flow.backend_id = 1;
    flow.flags = FLARE_FLOW_COUNTED;
    flow.peer = one.reverse();
    ASSERT_OK(maps().flows.update(one.forward(), flow));
    flow.dir = FLARE_DIR_REVERSE;
    flow.flags |= FLARE_FLOW_REPLIED;
    flow.peer = one.forward();
    ASSERT_OK(maps().flows.update(one.reverse(), flow));
    change_turn(one, [tag = tag_of(one)](flare_turn& turn) {
      turn.tag = tag;
      turn.requests = 1;
      turn.service_id = kService;
      turn.backend_id = 1;
      turn.tier = FLARE_TIER_SERVERLESS;
      turn.flags = FLARE_TURN_PAYLOAD | FLARE_TURN_COUNTED | FLARE_TURN_TLS;
      turn.seen_ns = MonotonicClock().now_ns() - kSilent;
      turn.client_end = kClientEnd;
      turn.server_end = kServerEnd;
    });
  }
  static std::uint64_t tag_of(const Spilled& one) {
    const flare_flow_key client = one.forward();
    return flow_hash(&client, kHashKey);
  }
  void change_turn(const Spilled& one, const std::function<void(flare_turn&)>& change) const {
    const std::uint64_t tag = tag_of(one);
    maps().turns.visit(static_cast<std::uint32_t>(tag >> 32) & (FLARE_TURN_SETS - 1),
                       [&](flare_turn_set& ways) {
                         change(ways.way[ntohs(one.forward().sport) % FLARE_TURN_WAYS]);
                       });
  }
  void add_flags(const flare_flow_key& key, std::uint32_t flags) const {
    auto flow = maps().flows.lookup(key);
    ASSERT_TRUE(flow);
    flow->flags |= flags;
    ASSERT_OK(maps().flows.update(key, *flow));
  }
  /// As the datapath does where the backend's reset has passed it.
  void backend_was_told(const Spilled& one) const { add_flags(one.forward(), FLARE_FLOW_RST); }

  ResetReport run_once() {
    auto report = home_->run();
    EXPECT_OK(report);
    return report ? *report : ResetReport{};
  }
  /// The frames that one run lets in.
  Frames run_and_see() {
    run_once();
    return tap_->frames();
  }
  std::uint64_t counted() const {
    return maps().service_totals(kService).moved[FLARE_TIER_SERVERLESS][FLARE_MEANS_RESET];
  }

  std::optional<HomeReset> home_;
  std::optional<Tap> tap_;
  flare_service service_{};
};

class HomeResetOfFamily : public HomeResetTest, public testing::WithParamInterface<Spilled> {};

TEST_P(HomeResetOfFamily, TellsTheBackendAndThenTheClient) {
  const Spilled& idle = GetParam();
  put(idle);
  const ResetReport first = run_once();
  EXPECT_EQ(first.seen, 1U) << "one of the flow's two entries";
  EXPECT_EQ(first.reset, 0U);
  EXPECT_GT(first.took.count(), 0);
  EXPECT_EQ(tap_->frames(), Frames{reset_of_backend(idle)});
  change_turn(idle, [](flare_turn& turn) { EXPECT_EQ(turn.ended, FLARE_TURN_MOVED); });
  EXPECT_EQ(run_and_see(), Frames()) << "the backend's is still on its way";
  backend_was_told(idle);
  const ResetReport last = run_once();
  EXPECT_EQ(last.reset, 1U);
  EXPECT_EQ(tap_->frames(), Frames{reset_of_client(idle)});
  EXPECT_EQ(counted(), 1U);
  EXPECT_EQ(run_and_see(), Frames()) << "once";
}

std::string family_name(const testing::TestParamInfo<Spilled>& one) {
  return one.index == 0 ? "V4" : "V6";
}

INSTANTIATE_TEST_SUITE_P(Families, HomeResetOfFamily,
                         testing::Values(v4_connection(), v6_connection()), family_name);

TEST_F(HomeResetTest, SparesTheClientWhoseRequestCameBefore) {
  for (const bool of_client : {true, false}) {
    const Spilled one = v4_connection(of_client ? 40000 : 40001);
    put(one);
    ASSERT_EQ(run_and_see(), Frames{reset_of_backend(one)});
    change_turn(one, [of_client](flare_turn& turn) {
      (of_client ? turn.client_end : turn.server_end) += 100;
      turn.open_ns = 1;
    });
    backend_was_told(one);
    EXPECT_EQ(run_and_see(), Frames()) << of_client;
    EXPECT_EQ((maps().flows.lookup(one.forward())->flags & FLARE_FLOW_RST) != 0, !of_client)
        << "a backend that was asked more does not end";
  }
  EXPECT_EQ(counted(), 0U);
}

TEST_F(HomeResetTest, TriesAgainWhereARequestWasFaster) {
  const Spilled one = v4_connection();
  put(one);
  ASSERT_EQ(run_and_see(), Frames{reset_of_backend(one)});
  change_turn(one, [](flare_turn& turn) {
    turn.client_end += 100;
    turn.ended |= FLARE_TURN_CLOSED;  // as the datapath says of whatever RST passes it
    turn.open_ns = 1;
  });
  backend_was_told(one);
  ASSERT_EQ(run_and_see(), Frames());
  change_turn(one, [](flare_turn& turn) { EXPECT_EQ(turn.ended, 0) << "it goes on"; });
  EXPECT_EQ(run_and_see(), Frames()) << "it is asked";
  change_turn(one, [](flare_turn& turn) { turn.open_ns = 0; });
  EXPECT_EQ(run_and_see(), Frames{reset(one.client, one.frontend, kClientEnd + 100, kServerEnd)})
      << "answered and idle";
}

TEST_F(HomeResetTest, GivesUpWhereTheBackendCannotBeTold) {
  const Spilled one = v4_connection();
  put(one);
  ASSERT_EQ(run_and_see(), Frames{reset_of_backend(one)});
  for (int i = 0; i < 10; ++i) EXPECT_EQ(run_and_see(), Frames());
  backend_was_told(one);
  EXPECT_EQ(run_and_see(), Frames());
}

TEST_F(HomeResetTest, DoesNotRepeatAResetOfTheBackendsOwn) {
  const Spilled one = v4_connection();
  put(one);
  ASSERT_EQ(run_and_see(), Frames{reset_of_backend(one)});
  backend_was_told(one);
  add_flags(one.reverse(), FLARE_FLOW_RST);
  EXPECT_EQ(run_and_see(), Frames());
}

const std::vector<SlotCase> kCases = slot_cases(FLARE_TIER_SERVERLESS);

class HomeResetOfSlot : public HomeResetTest, public testing::WithParamInterface<SlotCase> {};

TEST_P(HomeResetOfSlot, GoesByTheSlot) {
  const Spilled one = v4_connection();
  put(one);
  change_turn(one, GetParam().change);
  EXPECT_EQ(run_and_see().size(), GetParam().is_reset ? 1U : 0U);
  change_turn(one, [](flare_turn& turn) {
    EXPECT_EQ((turn.ended & FLARE_TURN_MOVED) != 0,
              GetParam().is_reset || std::string(GetParam().name) == "AlreadyTold");
  });
}

INSTANTIATE_TEST_SUITE_P(Slots, HomeResetOfSlot, testing::ValuesIn(kCases), slot_case_name);

TEST_F(HomeResetTest, LeavesConnectionsThatEndAlone) {
  std::uint16_t port = 40000;
  for (const std::uint32_t flag : {FLARE_FLOW_FIN, FLARE_FLOW_RST}) {
    for (const bool forward : {true, false}) {
      const Spilled one = v4_connection(port++);
      put(one);
      add_flags(forward ? one.forward() : one.reverse(), flag);
      EXPECT_EQ(run_and_see(), Frames()) << flag << forward;
    }
  }
}

TEST_F(HomeResetTest, LeavesAFlowWithoutItsTwinAlone) {
  const Spilled one = v4_connection();
  put(one);
  ASSERT_OK(maps().flows.erase(one.reverse()));
  EXPECT_EQ(run_and_see(), Frames());
}

TEST_F(HomeResetTest, KeepsTheRateOfTheService) {
  service_.move_interval_ns[FLARE_TIER_SERVERLESS] = 3600 * kSecond;
  service_.move_depth_ns[FLARE_TIER_SERVERLESS] = 2 * 3600 * kSecond;
  for (std::uint16_t i = 0; i < 5; ++i) put(v4_connection(40000 + i));
  EXPECT_EQ(run_and_see().size(), 2U);
  EXPECT_EQ(run_and_see().size(), 0U);
  service_.move_interval_ns[FLARE_TIER_SERVERLESS] = 0;
  maps().admission.clear(kService);
  put_service(v4_connection());
  EXPECT_EQ(run_and_see().size(), 0U) << "nothing of this tier moves";
}

TEST_F(HomeResetTest, OfAGatedServiceOnlyBelowTheCap) {
  service_.move_gated = 1;
  service_.cap = 4;
  put(v4_connection());
  const auto set_in_flight = [this](std::uint64_t count) {
    maps().admission.visit(kService, [count](flare_admission& admission) {
      admission.in_flight[FLARE_TIER_VM] = count;
    });
  };
  set_in_flight(4);
  EXPECT_EQ(run_and_see().size(), 0U);
  set_in_flight(3);
  EXPECT_EQ(run_and_see().size(), 1U);
}

TEST_F(HomeResetTest, NeedsTheServicesConsentAndALiveAgent) {
  const Spilled one = v4_connection();
  put(one);
  ASSERT_OK(home_->set_bound(kService, 0));
  EXPECT_EQ(run_once().seen, 0U);
  ASSERT_OK(home_->set_bound(kService, kBound));
  service_.move = FLARE_MOVE_NONE;
  put_service(one);
  EXPECT_EQ(run_and_see().size(), 0U);
  service_.move = FLARE_MOVE_CLOSE;
  put_service(one);
  beat(6 * kSecond);
  EXPECT_EQ(run_and_see().size(), 0U);
  beat(0);
  EXPECT_EQ(run_and_see().size(), 1U);
}

TEST_F(HomeResetTest, VisitsEveryFlowInAFewSteps) {
  service_.move_depth_ns[FLARE_TIER_SERVERLESS] = kSecond;
  constexpr std::uint16_t kFlows = 200;
  for (std::uint16_t i = 0; i < kFlows; ++i) put(v4_connection(40000 + i));
  std::size_t frames = 0;
  for (int step = 0; step < 50 && frames < kFlows; ++step) frames += run_and_see().size();
  EXPECT_EQ(frames, kFlows);
  EXPECT_EQ(run_and_see().size(), 0U);
}

TEST_F(HomeResetTest, LetsFramesInWhereTheClientsComeIn) {
  ASSERT_TRUE(
      run("ip link add fc2 type veth peer name fc3 && ip link set fc2 up && "
          "ip link set fc3 up && ip address add 192.0.2.1/24 dev fc0 && "
          "ip address add 198.51.100.1/24 dev fc2"));
  const Tap other("fc2");
  attach("fc2");
  const Spilled far = v4_connection();
  put(far);
  EXPECT_EQ(run_and_see(), Frames());
  EXPECT_EQ(other.frames(), Frames{reset_of_backend(far)});
  Spilled near = v4_connection(40001);
  near.client = "192.0.2.77:40001";
  put(near);
  EXPECT_EQ(run_and_see(), Frames{reset_of_backend(near)});
  EXPECT_EQ(other.frames(), Frames());
  const Spilled unrouted = v6_connection();
  put(unrouted);
  EXPECT_EQ(run_and_see().size() + other.frames().size(), 1U) << "any of them finds the flow";
}

TEST_F(HomeResetTest, NeedsAnInterface) {
  const Spilled one = v4_connection();
  put(one);
  ASSERT_OK(maps().interfaces.erase(::if_nametoindex("fc0")));
  EXPECT_EQ(run_once().seen, 0U);
  ASSERT_OK(maps().interfaces.update(9999, flare_interface{}));
  EXPECT_EQ(run_and_see(), Frames()) << "one that has gone";
  change_turn(one, [](flare_turn& turn) { EXPECT_EQ(turn.ended, 0); });
}

}  // namespace
}  // namespace flare
