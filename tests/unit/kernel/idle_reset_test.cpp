// Resets of idle connections: the shipped program on real sockets, with slots written by hand.
#include "kernel/idle_reset.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <functional>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "kernel_test.h"
#include "model/address.h"
#include "select.bpf.h"

namespace flare {
namespace {

constexpr std::uint64_t kMs = 1'000'000;
constexpr std::uint64_t kSecond = 1'000 * kMs;
constexpr std::uint64_t kBound = 10 * kSecond;
constexpr std::uint64_t kSilent = 20 * kSecond;
constexpr std::uint32_t kService = 1;
constexpr std::uint64_t kHashKey[2] = {0x0123456789abcdef, 0xfedcba9876543210};

/// The address as the kernel takes it, in a struct that holds either family's.
sockaddr_in6 socket_address(const Endpoint& endpoint, socklen_t& bytes) {
  sockaddr_in6 address{};
  if (endpoint.address.is_v4()) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&address);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(endpoint.port);
    v4->sin_addr.s_addr = endpoint.address.raw.word[3];
    bytes = sizeof(sockaddr_in);
  } else {
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(endpoint.port);
    std::memcpy(&address.sin6_addr, &endpoint.address.raw, sizeof(address.sin6_addr));
    bytes = sizeof(address);
  }
  return address;
}

/// A listening socket; on `::` it takes IPv4 as well.
UniqueFd listen_on(const std::string& where) {
  const Endpoint endpoint = *Endpoint::parse(where);
  socklen_t bytes = 0;
  const sockaddr_in6 address = socket_address(endpoint, bytes);
  UniqueFd fd(::socket(address.sin6_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int one = 1;
  EXPECT_EQ(::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), bytes), 0) << where;
  EXPECT_EQ(::listen(fd.get(), 64), 0);
  return fd;
}

/// Both ends of a connection, and the slot of `turns` that stands for it.
struct Connection {
  UniqueFd client, server;
  std::uint64_t tag = 0;

  /// What the client finds: 0 (open, nothing to read), or the error.
  int client_error() const {
    char byte = 0;
    const ssize_t got = ::recv(client.get(), &byte, 1, MSG_DONTWAIT | MSG_PEEK);
    if (got >= 0) return got == 0 ? EPIPE : 0;
    return errno == EAGAIN ? 0 : errno;
  }
  int server_error() const {
    int error = 0;
    socklen_t bytes = sizeof(error);
    EXPECT_EQ(::getsockopt(server.get(), SOL_SOCKET, SO_ERROR, &error, &bytes), 0);
    return error;
  }
};

class IdleResetTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    auto datapath = Datapath::load(options_);
    ASSERT_OK(datapath);
    datapath_.emplace(*std::move(datapath));
    auto reset = IdleReset::load(pin_dir_);
    ASSERT_OK(reset);
    reset_.emplace(*std::move(reset));
    flare_settings settings{};
    settings.heartbeat_bound_ns = 5 * kSecond;
    settings.hash_key[0] = kHashKey[0];
    settings.hash_key[1] = kHashKey[1];
    ASSERT_OK(maps().settings.update(0, settings));
    maps().heartbeat.set(0, &flare_heartbeat::beat_ns, MonotonicClock().now_ns());
    ASSERT_OK(reset_->set_bound(kService, kBound));
    service_.id = kService;
    service_.move = FLARE_MOVE_CLOSE;
    for (const flare_tier tier : {FLARE_TIER_VM, FLARE_TIER_SERVERLESS}) {
      service_.move_interval_ns[tier] = 1;
      service_.move_depth_ns[tier] = 1000;
    }
  }
  void TearDown() override {
    reset_.reset();
    datapath_.reset();
    KernelTest::TearDown();
  }
  const Maps& maps() const { return datapath_->maps(); }

  void put_service(const std::string& frontend) {
    const Endpoint endpoint = *Endpoint::parse(frontend);
    const flare_service_key key{.addr = endpoint.address.raw,
                                .port = htons(endpoint.port),
                                .proto = IPPROTO_TCP,
                                .zero = 0};
    ASSERT_OK(maps().services.update(key, service_));
  }

  /// Dials `where`, which `listener` takes, and writes a slot: TLS, one request, answered
  /// `kSilent` ago.
  Connection connect(const UniqueFd& listener, const std::string& where) {
    const Endpoint endpoint = *Endpoint::parse(where);
    socklen_t bytes = 0;
    const sockaddr_in6 address = socket_address(endpoint, bytes);
    Connection made;
    made.client = UniqueFd(::socket(address.sin6_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(made.client.get(), reinterpret_cast<const sockaddr*>(&address), bytes), 0);
    made.server =
        UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    sockaddr_in6 own{};
    bytes = sizeof(own);
    EXPECT_EQ(::getsockname(made.client.get(), reinterpret_cast<sockaddr*>(&own), &bytes), 0);
    flare_flow_key key{};
    if (endpoint.address.is_v4()) {
      key.src.word[2] = htonl(0xffff);
      key.src.word[3] = reinterpret_cast<sockaddr_in*>(&own)->sin_addr.s_addr;
    } else {
      std::memcpy(&key.src, &own.sin6_addr, sizeof(key.src));
    }
    key.dst = endpoint.address.raw;
    key.sport = own.sin6_port;  // where IPv4 has it too
    key.dport = htons(endpoint.port);
    key.proto = IPPROTO_TCP;
    made.tag = flow_hash(&key, service_hash_key_);
    with_turn(made, [&made](flare_turn& turn) {
      turn.tag = made.tag;
      turn.requests = 1;
      turn.service_id = kService;
      turn.tier = FLARE_TIER_VM;
      turn.flags = FLARE_TURN_PAYLOAD | FLARE_TURN_COUNTED | FLARE_TURN_TLS;
      turn.seen_ns = MonotonicClock().now_ns() - kSilent;
    });
    return made;
  }

  void with_turn(const Connection& connection, const std::function<void(flare_turn&)>& change) {
    const auto set = static_cast<std::uint32_t>(connection.tag >> 32) & (FLARE_TURN_SETS - 1);
    maps().turns.visit(set, [&](flare_turn_set& ways) { change(ways.way[1]); });
  }

  ResetReport run_once() {
    auto report = reset_->run();
    EXPECT_OK(report);
    return report ? *report : ResetReport{};
  }
  std::uint64_t counted() const {
    return maps().service_totals(kService).moved[FLARE_TIER_VM][FLARE_MEANS_RESET];
  }

  std::optional<Datapath> datapath_;
  std::optional<IdleReset> reset_;
  flare_service service_{};
  const __u64 service_hash_key_[2] = {kHashKey[0], kHashKey[1]};
};

TEST_F(IdleResetTest, ResetsAnIdleConnectionOfTls) {
  const UniqueFd listener = listen_on("127.0.0.1:8443");
  put_service("127.0.0.1:8443");
  const Connection idle = connect(listener, "127.0.0.1:8443");
  const ResetReport report = run_once();
  EXPECT_EQ(report.seen, 1U) << "the server's end, and not the client's";
  EXPECT_EQ(report.reset, 1U);
  EXPECT_GT(report.took.count(), 0);
  EXPECT_EQ(idle.client_error(), ECONNRESET);
  EXPECT_EQ(idle.server_error(), ECONNABORTED);
  EXPECT_EQ(counted(), 1U);
  with_turn(idle, [](flare_turn& turn) { EXPECT_EQ(turn.ended, FLARE_TURN_MOVED); });
  EXPECT_EQ(run_once().seen, 0U) << "its socket is gone";
}

TEST_F(IdleResetTest, KnowsConnectionsOfBothFamiliesOnAnyKindOfSocket) {
  const UniqueFd both = listen_on("[::]:8443");
  put_service("127.0.0.1:8443");
  put_service("[::1]:8443");
  const Connection four = connect(both, "127.0.0.1:8443");
  const Connection six = connect(both, "[::1]:8443");
  EXPECT_EQ(run_once().reset, 2U);
  EXPECT_EQ(four.client_error(), ECONNRESET);
  EXPECT_EQ(six.client_error(), ECONNRESET);
}

struct SlotCase {
  const char* name;
  void (*change)(flare_turn&);
  bool is_reset;
};

const SlotCase kSlotCases[] = {
    {"OpenRequest", [](flare_turn& t) { t.open_ns = t.seen_ns; }, false},
    {"OpenStream", [](flare_turn& t) { t.streams = 1; }, false},
    {"JustAnswered", [](flare_turn& t) { t.seen_ns += kSilent - kBound / 4; }, false},
    {"SilentForLongEnough", [](flare_turn& t) { t.seen_ns += kSilent - kBound - kSecond; }, true},
    {"NeverHadARequest", [](flare_turn& t) { t.requests = 0; }, false},
    {"AlreadyTold", [](flare_turn& t) { t.ended = FLARE_TURN_MOVED; }, false},
    {"Closed", [](flare_turn& t) { t.ended = FLARE_TURN_CLOSED; }, false},
    {"Multiplexed", [](flare_turn& t) { t.flags |= FLARE_TURN_MUX; }, false},
    {"CountedAsAWhole", [](flare_turn& t) { t.flags |= FLARE_TURN_WHOLE; }, false},
    {"Http2", [](flare_turn& t) { t.flags |= FLARE_TURN_HTTP2; }, false},
    {"HttpThatCanBeTold", [](flare_turn& t) { t.flags &= ~FLARE_TURN_TLS; }, false},
    {"AnswersWithoutHeader",
     [](flare_turn& t) {
       t.flags &= ~FLARE_TURN_TLS;
       t.ended = FLARE_TURN_HEADLESS;
     },
     true},
    {"OfTheOtherTier", [](flare_turn& t) { t.tier = FLARE_TIER_SERVERLESS; }, false},
    {"OfAnotherService", [](flare_turn& t) { t.service_id = 2; }, false},
    {"OfAnotherConnection", [](flare_turn& t) { ++t.tag; }, false}};

std::string case_name(const testing::TestParamInfo<SlotCase>& one) { return one.param.name; }

class IdleResetOfSlot : public IdleResetTest, public testing::WithParamInterface<SlotCase> {};

TEST_P(IdleResetOfSlot, GoesByTheSlot) {
  const UniqueFd listener = listen_on("127.0.0.1:8443");
  put_service("127.0.0.1:8443");
  const Connection control = connect(listener, "127.0.0.1:8443");
  const Connection changed = connect(listener, "127.0.0.1:8443");
  with_turn(changed, GetParam().change);
  const ResetReport report = run_once();
  EXPECT_EQ(report.seen, 2U);
  EXPECT_EQ(report.reset, GetParam().is_reset ? 2U : 1U);
  EXPECT_EQ(control.client_error(), ECONNRESET);
  EXPECT_EQ(changed.client_error(), GetParam().is_reset ? ECONNRESET : 0);
  EXPECT_EQ(counted(), report.reset);
}

INSTANTIATE_TEST_SUITE_P(Slots, IdleResetOfSlot, testing::ValuesIn(kSlotCases), case_name);

TEST_F(IdleResetTest, LeavesOtherPortsAlone) {
  const UniqueFd listener = listen_on("127.0.0.1:8443");
  const UniqueFd other = listen_on("127.0.0.1:8444");
  put_service("127.0.0.1:8443");
  const Connection ours = connect(listener, "127.0.0.1:8443");
  const Connection theirs = connect(other, "127.0.0.1:8444");
  const ResetReport report = run_once();
  EXPECT_EQ(report.seen, 1U);
  EXPECT_EQ(ours.client_error(), ECONNRESET);
  EXPECT_EQ(theirs.client_error(), 0);
}

TEST_F(IdleResetTest, LeavesSocketsWithDataUnderWayAlone) {
  const UniqueFd listener = listen_on("127.0.0.1:8443");
  put_service("127.0.0.1:8443");
  const Connection unread = connect(listener, "127.0.0.1:8443");
  ASSERT_EQ(::send(unread.client.get(), "x", 1, 0), 1);
  const Connection unacknowledged = connect(listener, "127.0.0.1:8443");
  const std::vector<char> much(1U << 16);
  while (::send(unacknowledged.server.get(), much.data(), much.size(), 0) > 0) {
  }
  EXPECT_EQ(run_once().reset, 0U);
  char byte = 0;
  ASSERT_EQ(::recv(unread.server.get(), &byte, 1, 0), 1);
  EXPECT_EQ(run_once().reset, 1U) << "read by now";
  EXPECT_EQ(unread.client_error(), ECONNRESET);
  EXPECT_EQ(unacknowledged.client_error(), 0);
}

TEST_F(IdleResetTest, KeepsTheRateOfTheService) {
  const UniqueFd listener = listen_on("127.0.0.1:8443");
  service_.move_interval_ns[FLARE_TIER_VM] = 3600 * kSecond;
  service_.move_depth_ns[FLARE_TIER_VM] = 2 * 3600 * kSecond;
  put_service("127.0.0.1:8443");
  std::vector<Connection> idle;
  idle.reserve(5);
  for (int i = 0; i < 5; ++i) idle.push_back(connect(listener, "127.0.0.1:8443"));
  EXPECT_EQ(run_once().reset, 2U);
  EXPECT_EQ(run_once().reset, 0U);
  service_.move_interval_ns[FLARE_TIER_VM] = 0;
  maps().admission.clear(kService);
  put_service("127.0.0.1:8443");
  EXPECT_EQ(run_once().reset, 0U) << "nothing of this tier moves";
}

TEST_F(IdleResetTest, OfAGatedServiceOnlyAtTheCap) {
  const UniqueFd listener = listen_on("127.0.0.1:8443");
  service_.move_gated = 1;
  service_.cap = 4;
  put_service("127.0.0.1:8443");
  const Connection idle = connect(listener, "127.0.0.1:8443");
  const auto set_in_flight = [this](std::uint64_t count) {
    maps().admission.visit(kService, [count](flare_admission& admission) {
      admission.in_flight[FLARE_TIER_VM] = count;
    });
  };
  set_in_flight(3);
  EXPECT_EQ(run_once().reset, 0U);
  set_in_flight(4);
  EXPECT_EQ(run_once().reset, 1U);
}

TEST_F(IdleResetTest, NeedsTheServicesConsentAndALiveAgent) {
  const UniqueFd listener = listen_on("127.0.0.1:8443");
  put_service("127.0.0.1:8443");
  const Connection idle = connect(listener, "127.0.0.1:8443");
  ASSERT_OK(reset_->set_bound(kService, 0));
  EXPECT_EQ(run_once().seen, 0U);
  ASSERT_OK(reset_->set_bound(kService, kBound));
  service_.move = FLARE_MOVE_NONE;
  put_service("127.0.0.1:8443");
  EXPECT_EQ(run_once().reset, 0U);
  service_.move = FLARE_MOVE_CLOSE;
  put_service("127.0.0.1:8443");
  maps().heartbeat.set(0, &flare_heartbeat::beat_ns, MonotonicClock().now_ns() - 6 * kSecond);
  EXPECT_EQ(run_once().reset, 0U);
  maps().heartbeat.set(0, &flare_heartbeat::beat_ns, MonotonicClock().now_ns());
  EXPECT_EQ(run_once().reset, 1U);
}

TEST(IdleBound, IsFourTimesNearlyAllRequestsAndNotBelow200Ms) {
  flare_histogram times{};
  EXPECT_EQ(idle_bound_ns(times), 200 * kMs) << "nothing known";
  const std::uint32_t quick = latency_slot(1 * kMs), slow = latency_slot(500 * kMs);
  times.count[quick] = 999;
  EXPECT_EQ(idle_bound_ns(times), 200 * kMs);
  times.count[slow] = 1;
  EXPECT_EQ(idle_bound_ns(times), 200 * kMs) << "one in a thousand";
  times.count[slow] = 20;
  EXPECT_NEAR(static_cast<double>(idle_bound_ns(times)), 2000.0 * kMs, 300.0 * kMs);
}

}  // namespace
}  // namespace flare
