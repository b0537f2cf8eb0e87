// What directing costs: system calls of sockets in a cgroup with the connect() programs against the
// same calls in one without, on loopback. Batches alternate; a row is the median of their means.
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <vector>

#include "bpf/connect/connect_fixture.h"
#include "support/net_namespace.h"

namespace flare::test {
namespace {

constexpr const char* kService = "192.0.2.100:80";
constexpr const char* kBackend = "198.51.100.1:8080";
constexpr int kBatch = 32;
constexpr int kRounds = 300;
const std::filesystem::path kPins = "/sys/fs/bpf/flare-bench-connect";

template <typename T>
T need(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message());
  return *std::move(result);
}

void need(Result<void> result) {
  if (!result) throw std::runtime_error(result.error().message());
}

/// Both cgroups, and the service, with one backend on loopback.
class World {
 public:
  World()
      : datapath_(make_datapath()),
        hooks_(need(ConnectHooks::load(kPins))),
        plain(make_cgroup("flare-bench-plain")),
        directed(make_cgroup("flare-bench-directed")) {
    put(IPPROTO_TCP, 1);
    put(IPPROTO_UDP, 2);
    need(hooks_.attach(directed));
  }
  ~World() {
    enter_cgroup(cgroup_root());
    static_cast<void>(detach_all(kPins));
    for (const auto& one : {plain, directed})
      wait_until([&one] { return ::rmdir(one.c_str()) == 0; });
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

 private:
  static Datapath make_datapath() {
    mount_private_bpffs();
    enter_new_network_namespace();
    run("ip addr add 198.51.100.1/32 dev lo");
    run("sysctl -qw net.ipv4.tcp_tw_reuse=1 net.ipv4.ip_local_port_range=\"1024 65535\"");
    LoadOptions options;
    options.pin_dir = kPins;
    options.limits = {.services = 8, .backends = 32, .flows = 512, .embryos = 128};
    return need(Datapath::load(options));
  }
  void put(std::uint8_t proto, std::uint32_t id) const {
    const Maps& maps = datapath_.maps();
    const Endpoint front = *Endpoint::parse(kService), back = *Endpoint::parse(kBackend);
    flare_settings settings{};
    settings.udp_replied_ns = 120'000'000'000;
    need(maps.settings.update(0, settings));
    flare_backend backend{};
    backend.addr = back.address.raw;
    backend.port = htons(back.port);
    backend.generation = 1;
    backend.service_id = id;
    backend.weight = 1;
    need(maps.backends.update(id, backend));
    need(maps.tables.publish(id, FLARE_TIER_VM, std::vector<std::uint32_t>{id}));
    flare_service service{};
    service.id = id;
    service.placement = FLARE_PLACEMENT_SENDER;
    service.policy = FLARE_POLICY_CAP;
    service.cap = 1'000'000;
    service.bucket_interval_ns = 1;
    service.bucket_depth_ns = 1'000'000;
    const flare_service_key key{
        .addr = front.address.raw, .port = htons(front.port), .proto = proto, .zero = 0};
    need(maps.services.update(key, service));
  }

  Datapath datapath_;
  ConnectHooks hooks_;

 public:
  const std::filesystem::path plain;
  const std::filesystem::path directed;
};

using Sockets = std::vector<UniqueFd>;

/// What is timed, for each socket of a batch; `to` is where it goes.
struct Case {
  const char* name;
  int type;
  std::function<void(const UniqueFd&, const SocketAddress& to)> prepare;
  std::function<void(UniqueFd&, const SocketAddress& to)> timed;
  bool bystander;  ///< the directed one goes to the backend by itself
};

void dial(const UniqueFd& socket, const SocketAddress& to) {
  if (::connect(socket.get(), to.get(), to.bytes) != 0) throw std::runtime_error("connect");
}

void send(const UniqueFd& socket, const SocketAddress& to) {
  if (::sendto(socket.get(), "ask", 3, 0, to.get(), to.bytes) != 3)
    throw std::runtime_error("sendto");
}

double mean_ns(const Case& one, const std::filesystem::path& cgroup, const SocketAddress& to) {
  enter_cgroup(cgroup);
  Sockets sockets;
  for (int i = 0; i < kBatch; ++i) {
    sockets.emplace_back(::socket(AF_INET, one.type | SOCK_CLOEXEC, 0));
    one.prepare(sockets.back(), to);
  }
  const auto begun = std::chrono::steady_clock::now();
  for (UniqueFd& socket : sockets) one.timed(socket, to);
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begun;
  return took.count() / kBatch;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void measure(const World& world, const Case& one) {
  Server server(kBackend, one.type);
  const SocketAddress service(kService, Wording::kV4), backend(kBackend, Wording::kV4);
  std::vector<double> plain, directed, ratio;
  for (int round = 0; round < kRounds; ++round) {
    plain.push_back(mean_ns(one, world.plain, backend));
    directed.push_back(mean_ns(one, world.directed, one.bystander ? backend : service));
    ratio.push_back(directed.back() / plain.back());
    if (one.type == SOCK_STREAM) server.take();
    server.taken.clear();
    if (one.type == SOCK_DGRAM) server.echo();
  }
  std::printf("%-42s %9.0f %9.0f %9.0f %7.3f\n", one.name, median(plain), median(directed),
              median(directed) - median(plain), median(ratio));
}

void run_all() {
  const World world;
  const auto nothing = [](const UniqueFd&, const SocketAddress&) {};
  const auto closed = [](UniqueFd& socket, const SocketAddress&) { socket = UniqueFd(); };
  const std::array cases{
      Case{"TCP connect()", SOCK_STREAM, nothing, dial, false},
      Case{"TCP connect(), not to a service", SOCK_STREAM, nothing, dial, true},
      Case{"TCP close()", SOCK_STREAM, dial, closed, false},
      Case{"UDP connect()", SOCK_DGRAM, nothing, dial, false},
      Case{"UDP sendto(), the first of a socket", SOCK_DGRAM, nothing, send, false},
      Case{"UDP sendto(), a later one", SOCK_DGRAM, send, send, false},
      Case{"UDP sendto(), not to a service", SOCK_DGRAM, send, send, true},
  };
  std::printf("%-42s %9s %9s %9s %7s\n", "ns a call, loopback", "plain", "directed", "more",
              "ratio");
  for (const Case& one : cases) measure(world, one);
}

}  // namespace
}  // namespace flare::test

int main() {
  try {
    flare::test::run_all();
  } catch (const std::exception& failed) {
    std::fprintf(stderr, "cannot measure: %s\n", failed.what());
    return 1;
  }
  return 0;
}
