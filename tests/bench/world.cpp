#include "world.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <stdexcept>
#include <vector>

#include "base/clock.h"
#include "bench/bpf/plan.h"
#include "support/net_namespace.h"

namespace flare::bench {
namespace {

constexpr std::uint32_t kBackendsOfEach = 64;
constexpr std::uint64_t kHourNs = 3'600'000'000'000;

template <typename Value>
Value require(Result<Value> result) {
  if (!result) throw std::runtime_error(result.error().message());
  return *std::move(result);
}
void require(const Result<void>& result) {
  if (!result) throw std::runtime_error(result.error().message());
}

/// 0 to 3, by family and protocol.
std::uint32_t kind_of(Family family, Protocol protocol) {
  return (family == Family::kV4 ? 0U : 2U) + (protocol == Protocol::kTcp ? 0U : 1U);
}
std::uint32_t service_id(Family family, Protocol protocol, Role role) {
  return 3 * kind_of(family, protocol) + static_cast<std::uint32_t>(role);
}
/// Of the flows that are translated.
flare_tier tier_of(Role role) {
  return role == Role::kBalanced ? FLARE_TIER_VM : FLARE_TIER_SERVERLESS;
}
std::uint32_t backend_id(Family family, Protocol protocol, std::uint32_t number) {
  return 1 + kind_of(family, protocol) * kBackendsOfEach + number;
}

flare_addr raw(const std::string& text, std::uint32_t plus = 0) {
  const auto address = Address::parse(text);
  if (!address) throw std::runtime_error("not an address: " + text);
  flare_addr moved = address->raw;
  moved.word[3] = htonl(ntohl(moved.word[3]) + plus);
  return moved;
}

/// A veth device knows its receive queues only while it runs an XDP program.
void attach_pass_program(std::uint32_t ifindex) {
  const bpf_insn code[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = XDP_PASS},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
  };
  const UniqueFd fd(
      bpf_prog_load(BPF_PROG_TYPE_XDP, "pass", "GPL", code, std::size(code), nullptr));
  if (fd.get() < 0 ||
      bpf_xdp_attach(static_cast<int>(ifindex), fd.get(), XDP_FLAGS_DRV_MODE, nullptr) != 0)
    throw std::runtime_error("cannot attach a pass program to the benchmark's veth");
}

std::uint32_t build_network() {
  test::mount_private_bpffs();
  test::enter_new_network_namespace();
  test::run("sysctl -qw net.ipv4.conf.all.forwarding=1 net.ipv6.conf.all.forwarding=1");
  test::run("ip link add in0 address 02:00:00:00:00:01 type veth peer name out0");
  test::run("sysctl -qw net.ipv6.conf.in0.accept_dad=0 net.ipv6.conf.out0.disable_ipv6=1");
  test::run("ip addr add 192.0.2.1/24 dev in0 && ip addr add 2001:db8::1/64 dev in0 nodad");
  test::run("ip link set in0 up && ip link set out0 up");
  test::run("ip neigh replace 192.0.2.254 lladdr 02:00:00:00:00:fe dev in0 nud permanent");
  test::run("ip neigh replace 2001:db8::fe lladdr 02:00:00:00:00:fe dev in0 nud permanent");
  test::run("ip route add default via 192.0.2.254 && ip -6 route add default via 2001:db8::fe");
  const std::uint32_t ifindex = if_nametoindex("in0");
  attach_pass_program(ifindex);
  return ifindex;
}

flare_settings settings() {
  return {
      .heartbeat_bound_ns = kHourNs,
      .tcp_handshake_ns = 20'000'000'000,
      .tcp_established_ns = kHourNs,
      .tcp_closing_ns = 10'000'000'000,
      .tcp_reset_ns = 5'000'000'000,
      .udp_unreplied_ns = 30'000'000'000,
      .udp_replied_ns = kHourNs,
      .nat_port_min = BENCH_PORT_BASE,
      .nat_port_max = BENCH_PORT_BASE + (1U << BENCH_PORT_BITS) - 1,
      .plain_replies = 0,
      .zero = {},
      .hash_key = {0x1234'5678'9abc'def0, 0x0fed'cba9'8765'4321},
      .flood_rate = 0,
      .zero2 = 0,
  };
}

/// All limits are on, so that their code runs, and out of reach.
flare_service service(std::uint32_t id, Role role, Family family) {
  flare_service made{};
  made.id = id;
  made.epoch = 1;
  made.share = role == Role::kSpilling ? FLARE_SHARE_ONE : 0;
  made.placement = role == Role::kBalanced ? FLARE_PLACEMENT_BALANCER : FLARE_PLACEMENT_RECEIVER;
  made.bucket_interval_ns = made.spend_interval_ns = made.ramp_interval_ns = 1;
  made.bucket_depth_ns = made.spend_depth_ns = made.ramp_depth_ns = kHourNs;
  made.hour_budget = 1ULL << 39;
  made.active_max = 1U << 31;
  made.cap = 1U << 30;
  made.workers = 1U << 30;
  made.policy = FLARE_POLICY_FORMULA;
  made.overload = FLARE_OVERLOAD_VM;
  made.fallback = FLARE_FALLBACK_BUCKET;
  made.hash_key[0] = 0x0123456789abcdef;
  made.hash_key[1] = 0xfedcba9876543210;
  made.snat_count = 1;
  made.snat[0] = raw(host_address(family));
  return made;
}

/// Keys and values of flows [from, from + count): the reverse entry, then the forward one, which is
/// the order that the datapath inserts them in.
struct Entries {
  std::vector<flare_flow_key> keys;
  std::vector<flare_flow> values;
};
Entries entries_of(const FlowSet& set, std::uint32_t from, std::uint32_t count,
                   std::uint64_t now_ns) {
  Entries made;
  const flare_addr host = raw(host_address(set.family));
  const auto proto = static_cast<__u8>(set.protocol);
  for (std::uint32_t n = from; n < from + count; ++n) {
    const std::uint32_t high = n >> BENCH_PORT_BITS;
    const __be16 port =
        htons(static_cast<std::uint16_t>(BENCH_PORT_BASE + (n & ((1U << BENCH_PORT_BITS) - 1))));
    const flare_flow_key forward = {.src = raw(spilled_client(set.family), high),
                                    .dst = host,
                                    .sport = port,
                                    .dport = htons(service_port(set.role)),
                                    .proto = proto,
                                    .zero = {}};
    const flare_flow_key reverse = {.src = raw(first_backend(set.family), high),
                                    .dst = host,
                                    .sport = htons(kBackendPort),
                                    .dport = port,
                                    .proto = proto,
                                    .zero = {}};
    flare_flow flow{};
    flow.created_ns = flow.seen_ns = now_ns;
    flow.service_id = service_id(set.family, set.protocol, set.role);
    flow.tier = static_cast<__u8>(tier_of(set.role));
    flow.backend_id = backend_id(set.family, set.protocol, high);
    flow.backend_generation = 1;
    flow.flags = FLARE_FLOW_COUNTED;
    flow.packets = 1;
    flow.peer = reverse;
    flare_flow back = flow;
    back.peer = forward;
    back.dir = FLARE_DIR_REVERSE;
    back.flags |= FLARE_FLOW_REPLIED;
    made.keys.insert(made.keys.end(), {reverse, forward});
    made.values.insert(made.values.end(), {back, flow});
  }
  return made;
}

constexpr std::uint32_t kBatchFlows = 16384;

}  // namespace

std::string spilled_client(Family family) {
  return family == Family::kV4 ? "198.18.0.0" : "2001:2::";
}
std::string other_client(Family family) {
  return family == Family::kV4 ? "198.19.0.0" : "2001:2:0:1::";
}
std::string first_backend(Family family) {
  return family == Family::kV4 ? "203.0.113.10" : "2001:db8:5::10";
}
std::string host_address(Family family) {
  return family == Family::kV4 ? "192.0.2.1" : "2001:db8::1";
}
std::string at(const std::string& address, std::uint16_t port) {
  return (address.find(':') == std::string::npos ? address : "[" + address + "]") + ":" +
         std::to_string(port);
}

World::World() : ifindex_(build_network()) {
  LimitConfig limits;
  limits.services = 1024;
  limits.backends = 1024;
  limits.flows = FLARE_FLOWS_MAX / 2;
  limits.embryos = FLARE_EMBRYOS_MAX / 2;
  datapath_ = std::make_unique<Datapath>(
      require(Datapath::load({.pin_dir = pin_dir(), .limits = limits, .libbpf_sink = {}})));
  require(maps().settings.update(0, settings()));
  maps().heartbeat.set(0, &flare_heartbeat::beat_ns, MonotonicClock().now_ns());
  for (const Family family : {Family::kV4, Family::kV6})
    for (const Protocol protocol : {Protocol::kTcp, Protocol::kUdp}) add_services(family, protocol);
}

void World::add_services(Family family, Protocol protocol) {
  std::vector<std::uint32_t> slots;
  for (std::uint32_t number = 0; number < kBackendsOfEach; ++number) {
    flare_backend backend{};
    backend.addr = raw(first_backend(family), number);
    backend.port = htons(kBackendPort);
    backend.tier = FLARE_TIER_SERVERLESS;
    backend.state = FLARE_BACKEND_ACTIVE;
    backend.generation = 1;
    backend.service_id = service_id(family, protocol, Role::kCalm);
    backend.weight = 1;
    slots.push_back(backend_id(family, protocol, number));
    require(maps().backends.update(slots.back(), backend));
  }
  for (const Role role : {Role::kCalm, Role::kSpilling, Role::kBalanced}) {
    const std::uint32_t id = service_id(family, protocol, role);
    const flare_service_key key = {.addr = raw(host_address(family)),
                                   .port = htons(service_port(role)),
                                   .proto = static_cast<__u8>(protocol),
                                   .zero = 0};
    require(maps().tables.publish(id, tier_of(role), slots));
    require(maps().services.update(key, service(id, role, family)));
  }
}

void World::spill(const FlowSet& flows) {
  if (flows.count == 0) return;
  const std::uint32_t id = service_id(flows.family, flows.protocol, flows.role);
  const std::uint64_t now_ns = MonotonicClock().now_ns();
  maps().heartbeat.set(0, &flare_heartbeat::spilled_ns, now_ns);
  maps().admission.set(id, &flare_admission::last_spill_ns, now_ns);
  if (tier_of(flows.role) == FLARE_TIER_SERVERLESS)
    maps().admission.set(id, &flare_admission::active, flows.count);
  LIBBPF_OPTS(bpf_map_batch_opts, options);
  for (std::uint32_t from = 0; from < flows.count; from += kBatchFlows) {
    const Entries batch =
        entries_of(flows, from, std::min(kBatchFlows, flows.count - from), now_ns);
    auto count = static_cast<__u32>(batch.keys.size());
    if (bpf_map_update_batch(maps().flows.handle().fd(), batch.keys.data(), batch.values.data(),
                             &count, &options) != 0)
      throw std::runtime_error(std::string("cannot record flows: ") + std::strerror(errno));
  }
}

void World::forget(const FlowSet& flows) {
  LIBBPF_OPTS(bpf_map_batch_opts, options);
  for (std::uint32_t from = 0; from < flows.count; from += kBatchFlows) {
    const Entries batch = entries_of(flows, from, std::min(kBatchFlows, flows.count - from), 0);
    auto count = static_cast<__u32>(batch.keys.size());
    if (bpf_map_delete_batch(maps().flows.handle().fd(), batch.keys.data(), &count, &options) != 0)
      throw std::runtime_error(std::string("cannot forget flows: ") + std::strerror(errno));
  }
  maps().admission.clear(service_id(flows.family, flows.protocol, flows.role));
  maps().heartbeat.set(0, &flare_heartbeat::spilled_ns, 0);
}

void World::forget_embryos() {
  std::vector<flare_flow_key> keys;
  require(maps().embryos.for_each(
      [&keys](const flare_flow_key& key, const flare_flow&) { keys.push_back(key); }));
  for (const flare_flow_key& key : keys) require(maps().embryos.erase(key));
}

}  // namespace flare::bench
