// Idle connections on real sockets, with slots of `turns` written by hand, and the shipped program
// that resets them: for suites about either.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "kernel/idle_reset.h"
#include "kernel_test.h"
#include "model/address.h"
#include "select.bpf.h"
#include "slot_cases.h"

namespace flare {

inline constexpr std::uint32_t kService = 1;
inline constexpr std::uint64_t kHashKey[2] = {0x0123456789abcdef, 0xfedcba9876543210};

/// The address as the kernel takes it, in a struct that holds either family's.
inline sockaddr_in6 socket_address(const Endpoint& endpoint, socklen_t& bytes) {
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
inline UniqueFd listen_on(const std::string& where) {
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

}  // namespace flare
