// When a connection is over: by whatever way it ends, nothing stays in flight.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <thread>

#include "base/clock.h"
#include "bpf/connect/connect_fixture.h"
#include "kernel/flow_sweep.h"
#include "kernel/turn_sweep.h"

namespace flare::test {
namespace {

constexpr const char* kHole = "198.18.0.1:80";

class End : public ConnectTest {
 protected:
  void SetUp() override {
    ConnectTest::SetUp();
    make(Wording::kV4);
    service_.share = FLARE_SHARE_ONE;
    put();
  }
  /// Where serverless is.
  void move_cloud(const std::string& endpoint) {
    const Endpoint to = *Endpoint::parse(endpoint);
    flare_backend backend = *maps().backends.lookup(kCloud);
    backend.addr = to.address.raw;
    backend.port = htons(to.port);
    ASSERT_TRUE(maps().backends.update(kCloud, backend));
  }
  static std::int64_t open_flows() { return in_flight(FLARE_TIER_SERVERLESS); }
  static flare_traffic ended() { return traffic(FLARE_TIER_SERVERLESS); }
};

TEST_F(End, RefusedConnectionIsOverWhileItsSocketLives) {
  const UniqueFd socket = make_socket(Wording::kV4);
  EXPECT_EQ(dial(socket), ECONNREFUSED);
  EXPECT_EQ(open_counts(), nothing_open());
  EXPECT_EQ(ended().abandoned, 1U);
  EXPECT_EQ(ended().flows_closed, 1U);
  EXPECT_EQ(maps().backend_totals(kCloud).refused, 1U);
  EXPECT_EQ(maps().backend_totals(kCloud).accepted, 0U);
  const Server instance(cloud(Wording::kV4));
  EXPECT_EQ(dial(socket), 0) << "made again";
  EXPECT_EQ(open_flows(), 1);
  EXPECT_EQ(active(), 1);
  expect_balance();
}

TEST_F(End, ConnectionThatHasNoRouteNeverBegan) {
  move_cloud("192.0.2.201:80");
  const UniqueFd socket = make_socket(Wording::kV4);
  EXPECT_EQ(dial(socket), ENETUNREACH);
  EXPECT_EQ(open_counts(), nothing_open());
  EXPECT_EQ(ended().flows_new, 0U);
  move_cloud(cloud(Wording::kV4));
  const Server instance(cloud(Wording::kV4));
  EXPECT_EQ(dial(socket), ENETUNREACH) << "what was decided holds for a second";
  EXPECT_TRUE(wait_until([&] { return dial(socket) == 0; }));
  EXPECT_EQ(ended().flows_new, 1U) << "tries without a SYN are none";
  EXPECT_EQ(open_flows(), 1);
}

TEST_F(End, ConnectionIsInFlightWhileItsHandshakeIs) {
  move_cloud(kHole);
  {
    const UniqueFd socket = make_socket(Wording::kV4, SOCK_STREAM | SOCK_NONBLOCK);
    EXPECT_EQ(dial(socket), EINPROGRESS);
    EXPECT_EQ(dial(socket), EALREADY) << "a question, and no second connection";
    EXPECT_EQ(open_flows(), 1);
    EXPECT_EQ(ended().flows_new, 1U);
    EXPECT_EQ(totals().handshakes, 0U);
  }
  EXPECT_EQ(open_counts(), nothing_open());
  EXPECT_EQ(ended().abandoned, 1U);
}

TEST_F(End, HandshakeThatTimesOutIsOverWhileItsSocketLives) {
  move_cloud(kHole);
  const UniqueFd socket = make_socket(Wording::kV4, SOCK_STREAM | SOCK_NONBLOCK);
  const int milliseconds = 300;
  ASSERT_EQ(::setsockopt(socket.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds,
                         sizeof(milliseconds)),
            0);
  EXPECT_EQ(dial(socket), EINPROGRESS);
  EXPECT_EQ(open_flows(), 1);
  EXPECT_TRUE(wait_until([] { return open_counts() == nothing_open(); }));
  EXPECT_EQ(ended().abandoned, 1U);
  EXPECT_EQ(maps().backend_totals(kCloud).refused, 0U) << "nobody answered";
}

TEST_F(End, ResetEndsItWhileItsSocketLives) {
  Server instance(cloud(Wording::kV4));
  const UniqueFd socket = open();
  ASSERT_EQ(instance.take(), 1U);
  EXPECT_EQ(open_flows(), 1);
  const linger at_once{1, 0};
  ::setsockopt(instance.taken[0].get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  instance.taken.clear();
  EXPECT_EQ(open_counts(), nothing_open());
  EXPECT_EQ(ended().abandoned, 1U);
}

TEST_F(End, CloseOfTheServerEndsIt) {
  Server instance(cloud(Wording::kV4));
  const UniqueFd socket = open();
  ASSERT_EQ(instance.take(), 1U);
  instance.taken.clear();
  EXPECT_EQ(open_counts(), nothing_open());
  EXPECT_EQ(ended().answers, 1U);
}

TEST_F(End, HalfCloseOfTheClientDoesNot) {
  Server instance(cloud(Wording::kV4));
  const UniqueFd socket = open();
  ASSERT_EQ(instance.take(), 1U);
  ::shutdown(socket.get(), SHUT_WR);
  EXPECT_EQ(open_flows(), 1) << "the answer is still to come";
  instance.taken.clear();
  EXPECT_EQ(open_counts(), nothing_open());
  EXPECT_EQ(ended().answers, 1U);
}

TEST_F(End, SharedSocketEndsWithItsLastOwner) {
  const Server instance(cloud(Wording::kV4));
  UniqueFd socket = open();
  std::array<int, 2> gate{};
  ASSERT_EQ(::pipe(gate.data()), 0);
  const pid_t child = in_child([&gate] {
    char byte = 0;
    ::close(gate[1]);
    ::read(gate[0], &byte, 1);
  });
  ::close(gate[0]);
  socket = UniqueFd();
  EXPECT_EQ(open_flows(), 1) << "the child has it";
  ::close(gate[1]);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(open_counts(), nothing_open());
}

TEST_F(End, KilledProcessLeavesNothing) {
  const Server instance(cloud(Wording::kV4));
  service_.share = FLARE_SHARE_ONE / 2;
  put();
  const Server machine(vm(Wording::kV4));
  const pid_t child = in_child([this] {
    std::vector<UniqueFd> held;
    for (int i = 0; i < 50; ++i) held.push_back(open());
    ::pause();
  });
  EXPECT_TRUE(wait_until([] { return open_flows() + in_flight(FLARE_TIER_VM) == 50; }));
  EXPECT_GT(open_flows(), 0);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(open_counts(), nothing_open());
  expect_balance();
}

TEST_F(End, DisconnectEndsItAndTheSocketMayGoElsewhere) {
  Server instance(cloud(Wording::kV4));
  const Server elsewhere("198.51.100.1:81");
  const UniqueFd socket = open();
  sockaddr nobody{};
  nobody.sa_family = AF_UNSPEC;
  ASSERT_EQ(::connect(socket.get(), &nobody, sizeof(nobody)), 0);
  EXPECT_EQ(open_counts(), nothing_open());
  ASSERT_EQ(dial(socket, "198.51.100.1:81"), 0);
  EXPECT_EQ(open_counts(), nothing_open());
  EXPECT_EQ(peer_of(socket), "198.51.100.1:81");
  EXPECT_EQ(ended().flows_new, 1U);
}

TEST_F(End, FastOpenIsDirectedAndCountedOnce) {
  Server instance(cloud(Wording::kV4));
  const UniqueFd socket = make_socket(Wording::kV4);
  const int one = 1;
  ASSERT_EQ(::setsockopt(socket.get(), IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &one, sizeof(one)), 0);
  ASSERT_EQ(dial(socket), 0);
  ASSERT_EQ(::send(socket.get(), "x", 1, 0), 1);
  EXPECT_EQ(instance.take(), 1U);
  EXPECT_EQ(open_flows(), 1);
  EXPECT_EQ(peer_of(socket), frontend(Wording::kV4));
}

TEST_F(End, ManyAtOnceLeaveNothing) {
  Server instance(cloud(Wording::kV4));
  Server machine(vm(Wording::kV4));
  service_.share = FLARE_SHARE_ONE / 2;
  put();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this] {
      for (int j = 0; j < 500; ++j) open();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(open_counts(), nothing_open());
  EXPECT_EQ(traffic(FLARE_TIER_VM).requests + ended().requests, 2000U);
  EXPECT_EQ(traffic(FLARE_TIER_VM).answers + ended().answers, 2000U);
  expect_balance();
}

TEST_F(End, RecountsOfPacketsLeaveItAlone) {
  const Server instance(cloud(Wording::kV4));
  const UniqueFd socket = open();
  EXPECT_EQ(sweep_turns(maps(), MonotonicClock().now_ns(), 1).corrections.size(), 0U);
  FlowSweep flows(maps());
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(flows.step(MonotonicClock().now_ns(), 4096)->corrections.size(), 0U);
  EXPECT_EQ(open_flows(), 1);
  EXPECT_EQ(maps().admission_total(kService).in_flight[FLARE_TIER_SERVERLESS], 1U);
  EXPECT_EQ(maps().admission_total(kService).active, 1U);
  EXPECT_EQ(maps().backend_load_total(kCloud).in_flight, 1U);
}

TEST_F(End, OfAServiceThatWasForgottenIsNotCounted) {
  const Server instance(cloud(Wording::kV4));
  UniqueFd old = open();
  ASSERT_TRUE(maps().forget_sock_flows(std::array{kService}));
  EXPECT_EQ(open_counts(), nothing_open());
  EXPECT_EQ(maps().admission.read(kService).vanished, 1U);
  const UniqueFd fresh = open();
  old = UniqueFd();
  EXPECT_EQ(open_counts(), (std::vector<std::int64_t>{0, 1, 1, 0, 0, 0, 0, 1, 1}));
}

TEST_F(End, OfABackendWhoseIdHasANewOwnerIsNotTakenOffIt) {
  const Server instance(cloud(Wording::kV4));
  UniqueFd old = open();
  flare_backend next = *maps().backends.lookup(kCloud);
  ++next.generation;
  ASSERT_TRUE(maps().backends.update(kCloud, next));
  maps().clear_backend_counters(kCloud);
  old = UniqueFd();
  EXPECT_EQ(open_counts(), nothing_open());
}

}  // namespace
}  // namespace flare::test
