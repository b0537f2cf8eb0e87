// What a balancer does that a receiver does not: tiers whose backends may all be gone, records that
// are lost, clients that keep their address or their backend. The packet fixtures run at both.
#include <arpa/inet.h>

#include <set>

#include "receiver_fixture.h"

namespace flare::test {
namespace {

constexpr std::uint32_t kVm = 1, kVmUdp = 2, kOtherVm = 3, kCloud = 4;

class Balancer : public EachWay {
 protected:
  void SetUp() override {
    ReceiverTest::SetUp();
    stand_at(Stand::kBalancer);
    build(GetParam().family);
  }

  std::string other_vm() const { return scene_.at(v4() ? "203.0.113.6" : "2001:db8:5::6", 8080); }
  std::string cloud() const { return scene_.at(v4() ? "203.0.113.7" : "2001:db8:5::7", 8080); }

  void add_cloud() { make_backend(cloud(), kCloud, kTcpService, FLARE_TIER_SERVERLESS); }
  /// The VM tier's table of the TCP service.
  void tabulate(std::vector<std::uint32_t> slots) {
    const auto published = maps().tables.publish(kTcpService, FLARE_TIER_VM, slots);
    ASSERT_TRUE(published) << published.error().message();
  }
  void no_vm() { ASSERT_TRUE(maps().tables.withdraw(kTcpService, FLARE_TIER_VM)); }
  void set_state(std::uint32_t id, flare_backend_state state) {
    auto backend = maps().backends.lookup(id);
    ASSERT_TRUE(backend);
    backend->state = static_cast<__u8>(state);
    ASSERT_TRUE(maps().backends.update(id, *backend));
  }
  Packet syn_from(const std::string& client) const { return tcp(client, scene_.frontend()); }
  std::string reason_of(const Packet& packet) { return run_packet(hook(), packet).reason; }
  /// The backend that a new connection from `client` gets.
  std::uint32_t backend_of(const std::string& client) {
    const std::string reason = reason_of(syn_from(client));
    EXPECT_TRUE(reason == "forward-new" || reason == "spill-new") << reason;
    const Packet packet = syn_from(client);
    const flare_flow_key key = {.src = packet.src.raw,
                                .dst = packet.dst.raw,
                                .sport = htons(packet.sport),
                                .dport = htons(packet.dport),
                                .proto = packet.protocol,
                                .zero = {}};
    const auto flow = maps().embryos.lookup(key);
    EXPECT_TRUE(flow) << client;
    return flow ? flow->backend_id : 0;
  }
  flare_traffic tier(flare_tier which) const { return tcp_counters().tier[which]; }
  void forget_flows() {
    std::vector<flare_flow_key> keys;
    const auto look = [&keys](const flare_flow_key& key, const flare_flow&) {
      keys.push_back(key);
    };
    ASSERT_TRUE(maps().flows.for_each(look));
    ASSERT_TRUE(maps().embryos.for_each(look));
    for (const auto& key : keys) {
      static_cast<void>(maps().flows.erase(key));
      static_cast<void>(maps().embryos.erase(key));
    }
  }
};

TEST_P(Balancer, CountsAFlowOfTheVmTierFromItsSynToItsEnd) {
  bring_about(Given::kSpilledTcp);
  EXPECT_EQ(tier(FLARE_TIER_VM).flows_new, 1U);
  EXPECT_EQ(tier(FLARE_TIER_SERVERLESS).flows_new, 0U);
  EXPECT_EQ(maps().backend_totals(kVm).traffic.flows_new, 1U);
  EXPECT_EQ(maps().backend_totals(kVm).accepted, 1U);
  EXPECT_EQ(maps().backend_loads.read(kVm).active, 1U);
  EXPECT_EQ(maps().admission.read(kTcpService).active, 0U) << "spilled flows alone";
  Packet request = scene_.segment(TcpFlags::kAck);
  request.seq = 1001;
  request.payload = to_bytes("GET /");
  EXPECT_EQ(reason_of(request), "forward-known");
  EXPECT_EQ(maps().backend_loads.read(kVm).in_flight, 1U);
  EXPECT_EQ(maps().admission.read(kTcpService).in_flight[FLARE_TIER_VM], 1U);
  EXPECT_EQ(maps().backend_totals(kVm).traffic.requests, 1U);
  Packet answer = scene_.reply_segment(TcpFlags::kAck | TcpFlags::kFin);
  answer.seq = 5001;
  answer.payload = to_bytes("200 OK");
  EXPECT_EQ(reason_of(answer), "forward-reply");
  EXPECT_EQ(maps().backend_loads.read(kVm).in_flight, 0U);
  EXPECT_EQ(maps().admission.read(kTcpService).in_flight[FLARE_TIER_VM], 0U);
  EXPECT_EQ(reason_of(scene_.segment(TcpFlags::kFin | TcpFlags::kAck)), "forward-known");
  EXPECT_EQ(tier(FLARE_TIER_VM).flows_closed, 1U);
  EXPECT_EQ(maps().backend_loads.read(kVm).active, 0U);
}

TEST_P(Balancer, CountsABackendThatRefuses) {
  bring_about(Given::kSpilledSyn);
  EXPECT_EQ(reason_of(scene_.reply_segment(TcpFlags::kRst | TcpFlags::kAck)), "forward-reply");
  EXPECT_EQ(maps().backend_totals(kVm).refused, 1U);
  EXPECT_EQ(maps().backend_totals(kVm).accepted, 0U);
}

TEST_P(Balancer, SpillsToServerlessFromAnAddressOfItsOwn) {
  add_cloud();
  for (const auto mode : {FLARE_SNAT_ALWAYS, FLARE_SNAT_NEVER, FLARE_SNAT_AUTO}) {
    forget_packets();
    adjust([mode](flare_service& service) {
      service.share = FLARE_SHARE_ONE;
      service.snat_mode = static_cast<__u8>(mode);
    });
    const Outcome outcome = run_packet(hook(), scene_.segment());
    EXPECT_EQ(outcome.reason, "spill-new");
    find_nat();
    EXPECT_TRUE(scene_.nat_ip == scene_.host_ip() || scene_.nat_ip == scene_.other_nat_ip());
    EXPECT_EQ(hex_dump(outcome.bytes),
              hex_dump(scene_.sent_on(scene_.segment(), scene_.nat(), cloud()).bytes()));
    EXPECT_EQ(tcp_counters().spilled[FLARE_SPILL_SHARE], 1U);
  }
}

TEST_P(Balancer, SendsASegmentWithoutARecordWhereItWentBefore) {
  bring_about(Given::kSpilledTcp);
  const std::string nat = scene_.nat();
  forget_flows();
  const Packet segment = scene_.segment(TcpFlags::kAck);
  const Outcome outcome = run_packet(hook(), segment);
  EXPECT_EQ(outcome.reason, "forward-again");
  EXPECT_EQ(hex_dump(outcome.bytes),
            hex_dump(scene_.sent_on(segment, nat, scene_.backend()).bytes()))
      << "the same backend, and the same port";
  EXPECT_EQ(entries_of_flows(), 0U) << "not settled before the backend has answered";
  EXPECT_EQ(reason_of(scene_.reply_segment()), "forward-reply");
  EXPECT_EQ(reason_of(segment), "forward-known");
  EXPECT_EQ(entries_of_flows(), 2U);
}

TEST_P(Balancer, IsNotFilledBySegmentsOfNobody) {
  for (std::uint16_t port = 1000; port < 1200; ++port)
    EXPECT_EQ(reason_of(tcp(scene_.client(port), scene_.frontend(), TcpFlags::kAck)),
              "forward-again");
  EXPECT_EQ(entries_of_flows(), 0U);
  for (std::uint16_t port = 1000; port < 1200; ++port)
    EXPECT_EQ(reason_of(tcp(scene_.client(port), scene_.frontend(), TcpFlags::kAck)),
              "forward-known");
  EXPECT_EQ(entries_of_flows(), 0U) << "the client alone settles nothing";
}

TEST_P(Balancer, ResetsTheFlowsOfABackendThatIsDownAndKeepsThoseOfOneThatDrains) {
  bring_about(Given::kSpilledTcp);
  set_state(kVm, FLARE_BACKEND_DRAINING);
  EXPECT_EQ(reason_of(scene_.segment(TcpFlags::kAck)), "forward-known");
  set_state(kVm, FLARE_BACKEND_DOWN);
  const Packet segment = scene_.segment(TcpFlags::kAck);
  const Outcome outcome = run_packet(hook(), segment);
  EXPECT_EQ(outcome.reason, "backend-down");
  EXPECT_EQ(hex_dump(outcome.bytes), hex_dump(scene_.reset(segment).bytes()));
}

TEST_P(Balancer, GivesAnOpenUdpFlowAnotherBackendAtOnce) {
  bring_about(Given::kSpilledUdp);
  const std::string other = scene_.at(v4() ? "203.0.113.6" : "2001:db8:5::6", 5353);
  make_backend(other, kOtherVm, kUdpService, FLARE_TIER_VM);
  EXPECT_EQ(reason_of(scene_.datagram()), "forward-known");
  set_state(kVmUdp, FLARE_BACKEND_DOWN);
  const Outcome outcome = run_packet(hook(), scene_.datagram());
  EXPECT_EQ(outcome.reason, "forward-new");
  find_nat();
  EXPECT_EQ(hex_dump(outcome.bytes),
            hex_dump(scene_.sent_on(scene_.datagram(), scene_.nat(), other).bytes()));
}

TEST_P(Balancer, UsesServerlessWithinItsLimitsWhereNoVmIsUsable) {
  add_cloud();
  no_vm();
  EXPECT_EQ(reason_of(scene_.segment()), "spill-new");
  EXPECT_EQ(tcp_counters().spilled[FLARE_SPILL_NO_VM], 1U);
  EXPECT_EQ(tcp_counters().refused[FLARE_REFUSAL_NO_BACKEND], 1U);
  adjust([](flare_service& service) { service.policy = FLARE_POLICY_OBSERVE; });
  EXPECT_EQ(reason_of(syn_from(scene_.client(40001))), "overload-reject")
      << "observe spills nothing";
  adjust([](flare_service& service) {
    service.policy = FLARE_POLICY_FORMULA;
    service.hour_budget = 1;
  });
  EXPECT_EQ(reason_of(syn_from(scene_.client(40002))), "overload-reject");
  EXPECT_EQ(tcp_counters().refused[FLARE_REFUSAL_SPEND_HOUR], 1U);
}

TEST_P(Balancer, UsesTheVmTierWhereServerlessIsNotUsable) {
  adjust([](flare_service& service) { service.share = FLARE_SHARE_ONE; });
  EXPECT_EQ(reason_of(scene_.segment()), "forward-new");
  EXPECT_EQ(tcp_counters().refused[FLARE_REFUSAL_NO_BACKEND], 1U);
  adjust([](flare_service& service) { service.overload = FLARE_OVERLOAD_REJECT; });
  EXPECT_EQ(reason_of(syn_from(scene_.client(40001))), "overload-reject");
}

TEST_P(Balancer, AnswersWhereNothingIsUp) {
  no_vm();
  const Outcome outcome = run_packet(hook(), scene_.segment());
  EXPECT_EQ(outcome.reason, "overload-reject");
  EXPECT_EQ(hex_dump(outcome.bytes), hex_dump(scene_.reset(scene_.segment()).bytes()));
  EXPECT_EQ(reason_of(tcp(scene_.client(), scene_.frontend(), TcpFlags::kAck)), "overload-reject");
  adjust([](flare_service& service) { service.overload = FLARE_OVERLOAD_DROP; });
  EXPECT_EQ(reason_of(scene_.segment()), "overload-drop");
  EXPECT_EQ(entries_of_everything(), 0U);
}

TEST_P(Balancer, GivesABackendThatCallsItsOwnServiceAnotherSource) {
  const std::string caller = scene_.at(scene_.backend_ip(), 50000);
  for (const auto mode : {FLARE_SNAT_NEVER, FLARE_SNAT_AUTO}) {
    forget_packets();
    adjust([mode](flare_service& service) { service.snat_mode = static_cast<__u8>(mode); });
    const Outcome outcome = run_packet(hook(), syn_from(caller));
    EXPECT_EQ(outcome.reason, "forward-new");
    find_nat();
    EXPECT_NE(scene_.nat_ip, scene_.backend_ip());
    EXPECT_EQ(hex_dump(outcome.bytes),
              hex_dump(scene_.sent_on(syn_from(caller), scene_.nat(), scene_.backend()).bytes()));
  }
}

TEST_P(Balancer, KeepsTheSourceByItselfWhereItStandsBetween) {
  adjust([](flare_service& service) { service.snat_mode = FLARE_SNAT_AUTO; });
  EXPECT_EQ(reason_of(scene_.segment()), "forward-new");
  find_nat();
  EXPECT_NE(scene_.nat_ip, scene_.client_ip()) << "the backend might answer the client itself";
  build(GetParam().family, Path::kOtherDevice,
        [](flare_service& service) { service.snat_mode = FLARE_SNAT_AUTO; });
  forget_packets();
  reason_of(scene_.segment());
  find_nat();
  EXPECT_EQ(scene_.nat(), scene_.client());
}

TEST_P(Balancer, RefusesASecondServiceTheSamePairOfClientAndBackend) {
  adjust([](flare_service& service) { service.snat_mode = FLARE_SNAT_NEVER; });
  EXPECT_EQ(reason_of(scene_.segment()), "forward-new");
  Service second = make_service(scene_.at(scene_.host_ip(), 81), Protocol::kTcp, 3);
  second.value = tcp_.value;
  second.value.id = 3;
  second.put(maps());
  const std::uint32_t slots[] = {kVm};
  ASSERT_TRUE(maps().tables.publish(3, FLARE_TIER_VM, slots));
  EXPECT_EQ(reason_of(tcp(scene_.client(), scene_.at(scene_.host_ip(), 81))), "overload-reject");
  EXPECT_EQ(service_counters(3).refused[FLARE_REFUSAL_NO_PORT], 1U);
  EXPECT_EQ(reason_of(tcp(scene_.client(40001), scene_.at(scene_.host_ip(), 81))), "forward-new");
}

TEST_P(Balancer, FollowsTheRuleForChains) {
  add_cloud();
  const auto prefix = Prefix::parse(v4() ? "198.51.100.0/24" : "2001:db8:c::/48");
  ASSERT_TRUE(prefix);
  ASSERT_TRUE(maps().chain_sources.update(prefix->key(), 1));
  const auto outsider = scene_.at(v4() ? "198.51.101.7" : "2001:db8:d::7", 40000);
  EXPECT_EQ(reason_of(scene_.segment()), "forward-new") << "return: as any other";
  forget_packets();
  adjust([](flare_service& service) { service.chain = FLARE_CHAIN_STAY; });
  EXPECT_EQ(reason_of(scene_.segment()), "spill-new");
  EXPECT_EQ(tcp_counters().spilled[FLARE_SPILL_CHAIN], 1U);
  EXPECT_EQ(reason_of(syn_from(outsider)), "forward-new");
  forget_packets();
  adjust([](flare_service& service) {
    service.chain = FLARE_CHAIN_VM;
    service.share = FLARE_SHARE_ONE;
  });
  EXPECT_EQ(reason_of(scene_.segment()), "forward-new");
  EXPECT_EQ(reason_of(syn_from(outsider)), "spill-new");
}

TEST_P(Balancer, GivesAClientTheBackendThatItHadBefore) {
  make_backend(other_vm(), kOtherVm, kTcpService, FLARE_TIER_VM);
  std::vector<std::uint32_t> slots(101);
  for (std::size_t i = 0; i < slots.size(); ++i) slots[i] = i % 2 == 0 ? kVm : kOtherVm;
  tabulate(slots);
  std::set<std::uint32_t> scattered;
  for (std::uint16_t port = 1000; port < 1020; ++port)
    scattered.insert(backend_of(scene_.client(port)));
  EXPECT_EQ(scattered.size(), 2U) << "without affinity";
  adjust([](flare_service& service) { service.affinity_ns = 60'000'000'000; });
  const std::uint32_t mine = backend_of(scene_.client(2000));
  for (std::uint16_t port = 2001; port < 2020; ++port)
    EXPECT_EQ(backend_of(scene_.client(port)), mine);
  // the table changes: who is known stays
  tabulate({mine == kVm ? kOtherVm : kVm});
  EXPECT_EQ(backend_of(scene_.client(3000)), mine);
  EXPECT_NE(backend_of(scene_.at(scene_.stranger_ip(), 3000)), mine);
  // a backend that takes no new flows has nobody stay
  set_state(mine, FLARE_BACKEND_DRAINING);
  const std::uint32_t other = backend_of(scene_.client(3001));
  EXPECT_NE(other, mine);
  set_state(mine, FLARE_BACKEND_ACTIVE);
  EXPECT_EQ(backend_of(scene_.client(3002)), other) << "and it stays there";
  // and nobody stays for ever
  tabulate({mine});
  adjust([](flare_service& service) { service.affinity_ns = 1; });
  EXPECT_EQ(backend_of(scene_.client(3003)), mine);
}

TEST_P(Balancer, TakesTheLessLoadedOfTwo) {
  make_backend(other_vm(), kOtherVm, kTcpService, FLARE_TIER_VM);
  std::vector<std::uint32_t> slots(101);
  for (std::size_t i = 0; i < slots.size(); ++i) slots[i] = i % 2 == 0 ? kVm : kOtherVm;
  tabulate(slots);
  adjust([](flare_service& service) { service.select = FLARE_SELECT_LEAST; });
  const auto share_of_vm = [this](std::uint16_t from) {
    int chosen = 0;
    for (std::uint16_t port = from; port < from + 200; ++port)
      chosen += backend_of(scene_.client(port)) == kVm;
    return chosen;
  };
  EXPECT_NEAR(share_of_vm(1000), 100, 3 * 7.1) << "no load, no preference";
  maps().backend_loads.set(kVm, &flare_backend_load::in_flight, 5);
  maps().backend_loads.set(kOtherVm, &flare_backend_load::in_flight, 4);
  EXPECT_NEAR(share_of_vm(2000), 50, 3 * 6.2) << "where both choices are the busier one";
  auto backend = maps().backends.lookup(kVm);
  backend->weight = 2;
  ASSERT_TRUE(maps().backends.update(kVm, *backend));
  EXPECT_NEAR(share_of_vm(3000), 150, 3 * 6.2) << "5 on a weight of 2 is less than 4 on 1";
  maps().backend_loads.set(kVm, &flare_backend_load::in_flight, 8);
  maps().backend_loads.set(kVm, &flare_backend_load::active, 1);
  maps().backend_loads.set(kOtherVm, &flare_backend_load::active, 1);
  EXPECT_NEAR(share_of_vm(4000), 150, 3 * 6.2) << "requests alike: by flows";
}

TEST_P(Balancer, TakesNoNewFlowOfAServiceThatIsRemoved) {
  bring_about(Given::kSpilledTcp);
  adjust([](flare_service& service) { service.retired = 1; });
  EXPECT_EQ(reason_of(scene_.segment(TcpFlags::kAck)), "forward-known");
  EXPECT_EQ(reason_of(syn_from(scene_.client(40001))), "overload-reject");
  forget_flows();
  EXPECT_EQ(reason_of(scene_.segment(TcpFlags::kAck)), "forward-again");
}

TEST_P(Balancer, LeavesAMalformedPacketToNobody) {
  Packet packet = scene_.segment(TcpFlags::kSyn | TcpFlags::kFin);
  expect_dropped(hook(), packet.bytes(), "malformed");
}

INSTANTIATE_TEST_SUITE_P(Ways, Balancer, testing::ValuesIn(kWays), way_name);

}  // namespace
}  // namespace flare::test
