// UDP: connected sockets, and those that say with each datagram where it shall go.
#include <arpa/inet.h>

#include <array>
#include <cerrno>

#include "bpf/connect/connect_fixture.h"

namespace flare::test {
namespace {

class Datagrams : public ConnectTest {
 protected:
  void start(Wording wording) { make(wording, Protocol::kUdp); }

  static int send(const UniqueFd& socket, const SocketAddress& to) {
    return ::sendto(socket.get(), "ask", 3, 0, to.get(), to.bytes) == 3 ? 0 : errno;
  }
  int send(const UniqueFd& socket) const {
    return send(socket, SocketAddress(frontend(wording_), wording_));
  }
  /// Whom the datagram that waits is from.
  static std::string source(const UniqueFd& socket) {
    std::array<char, 8> text{};
    SocketAddress from;
    const ssize_t got =
        ::recvfrom(socket.get(), text.data(), text.size(), MSG_DONTWAIT, from.get(), &from.bytes);
    return got < 0 ? "nobody" : from.text();
  }
  UniqueFd make_sender() const { return make_socket(wording_, SOCK_DGRAM); }
};

class DatagramsOf : public Datagrams, public testing::WithParamInterface<Wording> {
 protected:
  void SetUp() override {
    Datagrams::SetUp();
    start(GetParam());
  }
};
INSTANTIATE_TEST_SUITE_P(Families, DatagramsOf,
                         testing::Values(Wording::kV4, Wording::kV6, Wording::kMapped),
                         wording_name);

TEST_P(DatagramsOf, UnconnectedGoToOneBackendAndComeFromTheService) {
  const Server machine(vm(GetParam()), SOCK_DGRAM);
  {
    const UniqueFd socket = make_sender();
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(send(socket), 0);
      EXPECT_EQ(machine.echo(), 1U);
      EXPECT_EQ(source(socket), frontend(GetParam()));
    }
    EXPECT_EQ(traffic(FLARE_TIER_VM).flows_new, 1U);
    EXPECT_EQ(traffic(FLARE_TIER_VM).requests, 0U) << "of TCP alone";
    EXPECT_EQ(maps().backend_totals(kVm).accepted, 1U);
    EXPECT_EQ(open_counts(), (std::vector<std::int64_t>{0, 0, 0, 0, 1, 0, 0, 0, 0}));
  }
  EXPECT_EQ(open_counts(), nothing_open());
  EXPECT_EQ(traffic(FLARE_TIER_VM).flows_closed, 1U);
}

TEST_P(DatagramsOf, ConnectedGoThereAndShowTheService) {
  const Server instance(cloud(GetParam()), SOCK_DGRAM);
  service_.share = FLARE_SHARE_ONE;
  put();
  const UniqueFd socket = open();
  EXPECT_EQ(peer_of(socket), frontend(GetParam()));
  ASSERT_EQ(::send(socket.get(), "ask", 3, 0), 3);
  EXPECT_EQ(instance.echo(), 1U);
  EXPECT_EQ(source(socket), frontend(GetParam()));
  EXPECT_EQ(open_counts(), (std::vector<std::int64_t>{0, 0, 1, 0, 0, 0, 0, 0, 1}));
  EXPECT_EQ(totals().spilled[FLARE_SPILL_SHARE], 1U);
}

TEST_F(Datagrams, ConnectedTwiceAreOneFlow) {
  start(Wording::kV4);
  const UniqueFd socket = open();
  EXPECT_EQ(dial(socket), 0);
  EXPECT_EQ(send(socket), 0);
  EXPECT_EQ(traffic(FLARE_TIER_VM).flows_new, 1U);
  EXPECT_EQ(load_of(kVm).active, 1U);
}

TEST_F(Datagrams, BackendThatIsDownIsLeftAndOneThatDrainsIsNot) {
  start(Wording::kV4);
  const Server machine(vm(Wording::kV4), SOCK_DGRAM), other(vm(Wording::kV4, 2), SOCK_DGRAM);
  const UniqueFd socket = make_sender();
  EXPECT_EQ(send(socket), 0);
  EXPECT_EQ(machine.echo(), 1U);
  EXPECT_EQ(source(socket), frontend(Wording::kV4));
  set_table(FLARE_TIER_VM, {kOtherVm});
  set_state(kVm, FLARE_BACKEND_DRAINING);
  EXPECT_EQ(send(socket), 0);
  EXPECT_EQ(machine.echo(), 1U);
  set_state(kVm, FLARE_BACKEND_DOWN);
  EXPECT_EQ(source(socket), frontend(Wording::kV4)) << "an answer under way";
  EXPECT_EQ(send(socket), 0);
  EXPECT_EQ(other.echo(), 1U);
  EXPECT_EQ(source(socket), frontend(Wording::kV4));
  EXPECT_EQ(open_counts(), (std::vector<std::int64_t>{0, 0, 0, 0, 0, 0, 1, 0, 0}));
}

TEST_F(Datagrams, SilenceEndsAFlow) {
  start(Wording::kV4);
  flare_settings settings = *maps().settings.lookup(0);
  settings.udp_replied_ns = 1;
  ASSERT_TRUE(maps().settings.update(0, settings));
  const UniqueFd socket = make_sender();
  EXPECT_EQ(send(socket), 0);
  EXPECT_TRUE(wait_until([&] {
    service_.share = FLARE_SHARE_ONE;
    put();
    EXPECT_EQ(send(socket), 0);
    return active() == 1;
  }));
  EXPECT_EQ(load_of(kVm).active, 0U);
}

TEST_F(Datagrams, EachServiceOfASocketIsAFlowAndTheOldestYields) {
  start(Wording::kV4);
  const UniqueFd socket = make_sender();
  std::vector<SocketAddress> services;
  for (int i = 0; i < FLARE_SOCK_WAYS + 1; ++i) {
    key_.port = htons(static_cast<std::uint16_t>(1000 + i));
    put();
    services.emplace_back("192.0.2.100:" + std::to_string(1000 + i), Wording::kV4);
  }
  for (int round = 0; round < 2; ++round)
    for (int i = 0; i < FLARE_SOCK_WAYS; ++i) EXPECT_EQ(send(socket, services[i]), 0);
  EXPECT_EQ(traffic(FLARE_TIER_VM).flows_new, 4U);
  EXPECT_EQ(load_of(kVm).active, 4U);
  EXPECT_EQ(send(socket, services[FLARE_SOCK_WAYS]), 0);
  EXPECT_EQ(traffic(FLARE_TIER_VM).flows_new, 5U);
  EXPECT_EQ(load_of(kVm).active, 4U);
}

TEST_F(Datagrams, RefusedAsTheServiceSays) {
  start(Wording::kV4);
  service_.share = FLARE_SHARE_ONE;
  service_.hour_budget = 0;
  for (const auto& [overload, error] :
       {std::pair{FLARE_OVERLOAD_REJECT, ECONNREFUSED}, std::pair{FLARE_OVERLOAD_DROP, EPERM}}) {
    service_.overload = static_cast<__u8>(overload);
    put();
    EXPECT_EQ(send(make_sender()), error) << overload_word(overload);
  }
}

TEST_F(Datagrams, OthersAreLeftAlone) {
  start(Wording::kV4);
  const Server machine("198.51.100.2:53", SOCK_DGRAM);
  const UniqueFd socket = make_sender();
  EXPECT_EQ(send(socket), 0);
  EXPECT_EQ(send(socket, SocketAddress("198.51.100.2:53", Wording::kV4)), 0);
  EXPECT_EQ(machine.echo(), 1U);
  EXPECT_EQ(source(socket), "198.51.100.2:53");
}

}  // namespace
}  // namespace flare::test
