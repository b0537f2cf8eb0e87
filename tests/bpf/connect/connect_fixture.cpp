#include "bpf/connect/connect_fixture.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "base/clock.h"
#include "support/net_namespace.h"

namespace flare::test {
namespace {

std::runtime_error failure(const std::string& what) {
  return std::runtime_error(what + ": " + std::strerror(errno));
}

void build_network() {
  enter_new_network_namespace();
  for (const char* address : {"198.51.100.1/32", "198.51.100.2/32", "203.0.113.1/32"})
    run(std::string("ip addr add ") + address + " dev lo");
  for (const char* address : {"2001:db8:2::1/128", "2001:db8:2::2/128", "2001:db8:3::1/128"})
    run(std::string("ip -6 addr add ") + address + " dev lo nodad");
  // a place where nobody answers
  run("ip link add hole0 type veth peer name hole1 && ip link set hole0 up && ip link set hole1 "
      "up");
  run("ip route add 198.18.0.0/24 dev hole0 src 198.51.100.1");
  run("ip neigh replace 198.18.0.1 lladdr 02:00:00:00:00:fe dev hole0 nud permanent");
}

}  // namespace

std::unique_ptr<Datapath> ConnectTest::datapath_;
std::unique_ptr<ConnectHooks> ConnectTest::hooks_;
std::filesystem::path ConnectTest::cgroup_;

SocketAddress::SocketAddress(const std::string& text, Wording wording) {
  const auto endpoint = Endpoint::parse(text);
  if (!endpoint) throw std::runtime_error("not an endpoint: " + text);
  if (endpoint->address.is_v4() && wording != Wording::kMapped) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&raw);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(endpoint->port);
    v4->sin_addr.s_addr = endpoint->address.raw.word[3];
    bytes = sizeof(*v4);
    return;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&raw);
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(endpoint->port);
  std::memcpy(&v6->sin6_addr, &endpoint->address.raw, sizeof(v6->sin6_addr));
  bytes = sizeof(*v6);
}

std::string SocketAddress::text() const {
  Endpoint endpoint;
  if (raw.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&raw);
    endpoint.address.raw = {{0, 0, htonl(0xffff), v4->sin_addr.s_addr}};
    endpoint.port = ntohs(v4->sin_port);
  } else {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&raw);
    std::memcpy(&endpoint.address.raw, &v6->sin6_addr, sizeof(endpoint.address.raw));
    endpoint.port = ntohs(v6->sin6_port);
  }
  return endpoint.text();
}

Server::Server(const std::string& endpoint, int type) {
  const SocketAddress at(endpoint, Wording::kV4);
  fd = UniqueFd(::socket(at.raw.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int one = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  if (::bind(fd.get(), at.get(), at.bytes) != 0) throw failure("bind " + endpoint);
  if (type == SOCK_STREAM && ::listen(fd.get(), 4096) != 0) throw failure("listen");
}

std::size_t Server::take() {
  std::size_t count = 0;
  for (;; ++count) {
    UniqueFd one(::accept4(fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!one) return count;
    taken.push_back(std::move(one));
  }
}

std::size_t Server::echo() const {
  std::size_t count = 0;
  for (;; ++count) {
    std::array<char, 64> text{};
    SocketAddress from;
    const ssize_t got = ::recvfrom(fd.get(), text.data(), text.size(), 0, from.get(), &from.bytes);
    if (got < 0) return count;
    ::sendto(fd.get(), text.data(), static_cast<std::size_t>(got), 0, from.get(), from.bytes);
  }
}

std::filesystem::path cgroup_root() {
  static const std::filesystem::path root = [] {
    std::ifstream mounts("/proc/self/mounts");
    std::string line;
    while (std::getline(mounts, line)) {
      std::istringstream fields(line);
      std::string device, where, type;
      fields >> device >> where >> type;
      if (type == "cgroup2") return std::filesystem::path(where);
    }
    // seen by this process alone, whose mounts are its own by now
    const std::filesystem::path own = "/tmp/flare-cgroup-" + std::to_string(::getpid());
    std::filesystem::create_directories(own);
    if (::mount("cgroup2", own.c_str(), "cgroup2", 0, nullptr) != 0)
      throw failure("cannot mount cgroup2");
    return own;
  }();
  return root;
}

std::filesystem::path make_cgroup(const std::string& name) {
  std::filesystem::path made = cgroup_root() / (name + "-" + std::to_string(::getpid()));
  std::filesystem::create_directory(made);
  return made;
}

void enter_cgroup(const std::filesystem::path& cgroup) {
  std::ofstream procs(cgroup / "cgroup.procs");
  procs << ::getpid() << std::flush;
  if (!procs) throw failure("cannot enter " + cgroup.string());
}

pid_t in_child(const std::function<void()>& work) {
  const pid_t child = ::fork();
  if (child < 0) throw failure("fork");
  if (child == 0) {
    work();
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  return child;
}

bool wait_until(const std::function<bool()>& done) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (std::chrono::steady_clock::now() < end) {
    if (done()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return done();
}

std::string wording_name(const testing::TestParamInfo<Wording>& info) {
  if (info.param == Wording::kMapped) return "Mapped";
  return info.param == Wording::kV4 ? "V4" : "V6";
}

void ConnectTest::SetUpTestSuite() {
  static const bool ready = [] {
    mount_private_bpffs();
    build_network();
    return true;
  }();
  (void)ready;
  LimitConfig limits;
  limits.services = 8;
  limits.backends = 32;
  limits.flows = 512;
  limits.embryos = 128;
  auto datapath = Datapath::load({.pin_dir = pin_dir(), .limits = limits, .libbpf_sink = {}});
  if (!datapath) throw std::runtime_error(datapath.error().message());
  datapath_ = std::make_unique<Datapath>(*std::move(datapath));
  auto hooks = ConnectHooks::load(pin_dir());
  if (!hooks) throw std::runtime_error(hooks.error().message());
  hooks_ = std::make_unique<ConnectHooks>(*std::move(hooks));
  cgroup_ = make_cgroup("flare-connect");
  enter_cgroup(cgroup_);
  auto attached = hooks_->attach(cgroup_);
  if (!attached) throw std::runtime_error(attached.error().message());
}

void ConnectTest::TearDownTestSuite() {
  enter_cgroup(cgroup_root());
  hooks_.reset();
  datapath_.reset();
  const auto gone = detach_all(pin_dir());
  EXPECT_TRUE(gone) << (gone ? "" : gone.error().message());
  EXPECT_FALSE(std::filesystem::exists(pin_dir()));
  EXPECT_TRUE(wait_until([] { return ::rmdir(cgroup_.c_str()) == 0; })) << cgroup_;
}

void ConnectTest::SetUp() {
  for (std::uint32_t id = 0; id < maps().services_max(); ++id) {
    maps().admission.clear(id);
    maps().clear_service_counters(id);
    for (const flare_tier tier : {FLARE_TIER_VM, FLARE_TIER_SERVERLESS}) set_table(tier, {}, id);
  }
  for (std::uint32_t id = 0; id < maps().backends_max(); ++id) maps().clear_backend_counters(id);
  std::vector<flare_service_key> keys;
  ASSERT_TRUE(maps().services.for_each(
      [&keys](const flare_service_key& key, const flare_service&) { keys.push_back(key); }));
  for (const flare_service_key& key : keys) ASSERT_TRUE(maps().services.erase(key));
  flare_settings settings{};
  settings.heartbeat_bound_ns = 5'000'000'000;
  settings.udp_replied_ns = 120'000'000'000;
  ASSERT_TRUE(maps().settings.update(0, settings));
  beat();
}

void ConnectTest::TearDown() {
  EXPECT_TRUE(wait_until([] { return open_counts() == nothing_open(); }))
      << testing::PrintToString(open_counts());
}

std::string ConnectTest::frontend(Wording wording) {
  return wording == Wording::kV6 ? "[2001:db8::100]:80" : "192.0.2.100:80";
}
std::string ConnectTest::vm(Wording wording, int number) {
  return (wording == Wording::kV6 ? "[2001:db8:2::" + std::to_string(number) + "]"
                                  : "198.51.100." + std::to_string(number)) +
         ":8080";
}
std::string ConnectTest::cloud(Wording wording) {
  return wording == Wording::kV6 ? "[2001:db8:3::1]:9090" : "203.0.113.1:9090";
}

void ConnectTest::make(Wording wording, Protocol protocol) {
  wording_ = wording;
  const Endpoint at = *Endpoint::parse(frontend(wording));
  key_ = {.addr = at.address.raw,
          .port = htons(at.port),
          .proto = static_cast<__u8>(protocol),
          .zero = 0};
  service_ = {};
  service_.id = kService;
  service_.hour_budget = 1'000'000;
  service_.placement = FLARE_PLACEMENT_SENDER;
  service_.policy = FLARE_POLICY_CAP;
  service_.hash_key[0] = 0x0123456789abcdef;
  service_.hash_key[1] = 0xfedcba9876543210;
  put();
  const std::string endpoints[] = {vm(wording, 1), vm(wording, 2), cloud(wording)};
  for (std::uint32_t id = kVm; id <= kCloud; ++id) {
    const Endpoint endpoint = *Endpoint::parse(endpoints[id - kVm]);
    flare_backend backend{};
    backend.addr = endpoint.address.raw;
    backend.port = htons(endpoint.port);
    backend.tier = id == kCloud ? FLARE_TIER_SERVERLESS : FLARE_TIER_VM;
    backend.generation = 1;
    backend.service_id = kService;
    backend.weight = 1;
    ASSERT_TRUE(maps().backends.update(id, backend));
  }
  set_table(FLARE_TIER_VM, {kVm});
  set_table(FLARE_TIER_SERVERLESS, {kCloud});
}

void ConnectTest::put() const { ASSERT_TRUE(maps().services.update(key_, service_)); }

void ConnectTest::set_state(std::uint32_t id, flare_backend_state state) const {
  flare_backend backend = *maps().backends.lookup(id);
  backend.state = static_cast<__u8>(state);
  ASSERT_TRUE(maps().backends.update(id, backend));
}

void ConnectTest::set_table(flare_tier tier, const std::vector<std::uint32_t>& backends,
                            std::uint32_t service) {
  const auto done = backends.empty() ? maps().tables.withdraw(service, tier)
                                     : maps().tables.publish(service, tier, backends);
  ASSERT_TRUE(done) << done.error().message();
}

void ConnectTest::beat(std::uint64_t age_ns) {
  maps().heartbeat.set(0, &flare_heartbeat::beat_ns, MonotonicClock().now_ns() - age_ns);
}

UniqueFd ConnectTest::make_socket(Wording wording, int type) {
  return UniqueFd(::socket(wording == Wording::kV4 ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0));
}

int ConnectTest::dial(const UniqueFd& socket, const std::string& endpoint) const {
  const SocketAddress to(endpoint, wording_);
  return ::connect(socket.get(), to.get(), to.bytes) == 0 ? 0 : errno;
}

int ConnectTest::dial(const UniqueFd& socket) const { return dial(socket, frontend(wording_)); }

UniqueFd ConnectTest::open() const {
  UniqueFd socket = make_socket(wording_, key_.proto == IPPROTO_TCP ? SOCK_STREAM : SOCK_DGRAM);
  EXPECT_EQ(dial(socket), 0);
  return socket;
}

std::string ConnectTest::peer_of(const UniqueFd& socket) {
  SocketAddress peer;
  if (::getpeername(socket.get(), peer.get(), &peer.bytes) != 0) return std::strerror(errno);
  return peer.text();
}

std::int64_t ConnectTest::in_flight(flare_tier tier, std::uint32_t service) {
  return static_cast<std::int64_t>(maps().sock_loads.read(service).in_flight[tier]);
}

std::int64_t ConnectTest::active(std::uint32_t service) {
  return static_cast<std::int64_t>(maps().sock_loads.read(service).active);
}

std::vector<std::int64_t> ConnectTest::open_counts() {
  std::vector<std::int64_t> counts{in_flight(FLARE_TIER_VM), in_flight(FLARE_TIER_SERVERLESS),
                                   active()};
  for (std::uint32_t id = kVm; id <= kCloud; ++id) {
    counts.push_back(static_cast<std::int64_t>(load_of(id).in_flight));
    counts.push_back(static_cast<std::int64_t>(load_of(id).active));
  }
  return counts;
}

void ConnectTest::expect_balance() {
  const flare_service_counters now = totals();
  for (const flare_tier tier : {FLARE_TIER_VM, FLARE_TIER_SERVERLESS}) {
    const flare_traffic& one = now.tier[tier];
    EXPECT_EQ(static_cast<std::int64_t>(one.requests),
              static_cast<std::int64_t>(one.answers + one.abandoned) + in_flight(tier))
        << tier_word(tier);
  }
}

}  // namespace flare::test
