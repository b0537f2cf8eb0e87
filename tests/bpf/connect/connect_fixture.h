// The shipped connect() programs at a cgroup of the test's own, with real sockets in a network
// namespace. A service's address has no route here: who reaches something was directed.
//
//   service 192.0.2.100:80, [2001:db8::100]:80        VM tier 198.51.100.1, .2    2001:db8:2::1,
//   ::2
//                                                     serverless 203.0.113.1      2001:db8:3::1
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "kernel/connect_hooks.h"
#include "kernel/datapath.h"
#include "model/address.h"

namespace flare::test {

/// How a process says where it wants to go.
enum class Wording { kV4, kV6, kMapped };

/// An address as system calls take it.
struct SocketAddress {
  sockaddr_storage raw{};
  socklen_t bytes = 0;

  /// With kMapped an IPv4 address is written as an IPv6 socket has it, ::ffff:a.b.c.d.
  SocketAddress(const std::string& endpoint, Wording wording);
  SocketAddress() : bytes(sizeof(raw)) {}
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&raw); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&raw); }
  std::string text() const;
};

/// A socket that is bound to an address and, of TCP, listens.
struct Server {
  explicit Server(const std::string& endpoint, int type = SOCK_STREAM);
  /// Connections that wait to be accepted are taken; returns how many.
  std::size_t take();
  /// Answers each datagram that waits with the same; returns how many.
  std::size_t echo() const;

  UniqueFd fd;
  std::vector<UniqueFd> taken;
};

class ConnectTest : public testing::Test {
 public:
  static constexpr std::uint32_t kService = 1;
  /// Backends by id; those of a service for UDP have the same addresses.
  static constexpr std::uint32_t kVm = 1, kOtherVm = 2, kCloud = 3;
  static constexpr const char* kNowhere = "192.0.2.200:80";

  static void SetUpTestSuite();
  static void TearDownTestSuite();

 protected:
  void SetUp() override;
  /// Whatever a test did: nothing is left in flight.
  void TearDown() override;

  static const Maps& maps() { return datapath_->maps(); }
  static ConnectHooks& hooks() { return *hooks_; }
  static const std::filesystem::path& cgroup() { return cgroup_; }
  static std::filesystem::path pin_dir() { return "/sys/fs/bpf/flare-connect"; }

  static std::string frontend(Wording wording);
  static std::string vm(Wording wording, int number = 1);
  static std::string cloud(Wording wording);

  /// The service, whose share is 0, and its three backends; change `service_` and call put().
  void make(Wording wording, Protocol protocol = Protocol::kTcp);
  void put() const;
  void set_state(std::uint32_t backend, flare_backend_state state) const;
  /// The backends that a tier's table has; none: there is no table.
  static void set_table(flare_tier tier, const std::vector<std::uint32_t>& backends,
                        std::uint32_t service = kService);
  static void beat(std::uint64_t age_ns = 0);

  static UniqueFd make_socket(Wording wording, int type = SOCK_STREAM);
  /// connect() to the service. Returns 0, or errno.
  int dial(const UniqueFd& socket) const;
  int dial(const UniqueFd& socket, const std::string& endpoint) const;
  /// A socket that is connected to the service.
  UniqueFd open() const;
  static std::string peer_of(const UniqueFd& socket);

  static std::int64_t in_flight(flare_tier tier, std::uint32_t service = kService);
  static std::int64_t active(std::uint32_t service = kService);
  static flare_service_counters totals(std::uint32_t service = kService) {
    return maps().service_totals(service);
  }
  static flare_traffic traffic(flare_tier tier) { return totals().tier[tier]; }
  static flare_backend_load load_of(std::uint32_t backend) {
    return maps().sock_backend_loads.read(backend);
  }
  /// All that is counted as open: of the service by tier, spilled flows, of all backends.
  static std::vector<std::int64_t> open_counts();
  static std::vector<std::int64_t> nothing_open() { return std::vector<std::int64_t>(9, 0); }
  /// Whether requests = answers + abandoned + in flight (+ vanished), in both tiers together.
  static void expect_balance();

  flare_service service_{};
  flare_service_key key_{};
  Wording wording_ = Wording::kV4;

 private:
  static std::unique_ptr<Datapath> datapath_;
  static std::unique_ptr<ConnectHooks> hooks_;
  static std::filesystem::path cgroup_;
};

std::string wording_name(const testing::TestParamInfo<Wording>& info);

/// Makes a cgroup below the mount of version 2, or below one of the test's own, and removes it.
std::filesystem::path make_cgroup(const std::string& name);
/// Moves this process there; "" is the root.
void enter_cgroup(const std::filesystem::path& cgroup);
std::filesystem::path cgroup_root();
/// Runs `work` in a child process, in the same cgroup; returns its pid.
pid_t in_child(const std::function<void()>& work);
bool wait_until(const std::function<bool()>& done);

}  // namespace flare::test
