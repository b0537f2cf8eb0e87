#include "support/datapath_fixture.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "base/clock.h"
#include "support/net_namespace.h"

namespace flare::test {
namespace {

const std::filesystem::path kPinDir = "/sys/fs/bpf/flare-test";

/// A veth device knows its receive queues only while it runs an XDP program.
void attach_pass_program(int ifindex) {
  const bpf_insn code[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = XDP_PASS},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
  };
  const int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "pass", "GPL", code, std::size(code), nullptr);
  if (fd < 0 || bpf_xdp_attach(ifindex, fd, XDP_FLAGS_DRV_MODE, nullptr) != 0)
    throw std::runtime_error("cannot attach a pass program to the test's veth");
  ::close(fd);
}

void build_network() {
  enter_new_network_namespace();
  run("sysctl -qw net.ipv4.conf.all.forwarding=1 net.ipv6.conf.all.forwarding=1");
  run("ip link add in0 address 02:00:00:00:00:01 type veth peer name out0");
  run("sysctl -qw net.ipv6.conf.in0.accept_dad=0 net.ipv6.conf.out0.disable_ipv6=1");
  run("ip addr add 192.0.2.1/24 dev in0 && ip addr add 2001:db8::1/64 dev in0 nodad");
  run("ip link set in0 up && ip link set out0 up");
  run("ip neigh replace 192.0.2.254 lladdr 02:00:00:00:00:fe dev in0 nud permanent");
  run("ip neigh replace 2001:db8::fe lladdr 02:00:00:00:00:fe dev in0 nud permanent");
  run("ip route add default via 192.0.2.254 && ip -6 route add default via 2001:db8::fe");
  // special destinations: a smaller path, a neighbour that nobody knows, no way at all
  run("ip route add 203.0.113.64/28 via 192.0.2.254 mtu lock 1280");
  run("ip -6 route add 2001:db8:5:64::/64 via 2001:db8::fe mtu lock 1280");
  run("ip route add 203.0.113.80/28 via 192.0.2.77 && ip -6 route add 2001:db8:5:80::/64 via "
      "2001:db8::77");
  run("ip route add unreachable 203.0.113.96/28 && ip -6 route add unreachable 2001:db8:5:96::/64");
  run("ip link add side0 address 02:00:00:00:00:03 type veth peer name side1 && ip link set side0 "
      "up && ip link set side1 "
      "up");
  run("ip route add 203.0.113.112/28 dev side0 && ip -6 route add 2001:db8:5:112::/64 dev side0");
  run("ip neigh replace 203.0.113.112 lladdr 02:00:00:00:00:fd dev side0 nud permanent");
  run("ip -6 neigh replace 2001:db8:5:112::1 lladdr 02:00:00:00:00:fd dev side0 nud permanent");
}

template <typename Map>
void erase_all(const Map& map) {
  std::vector<decltype(map.next(std::declval<MapCursor&>())->front().key)> keys;
  ASSERT_TRUE(map.for_each([&keys](const auto& key, const auto&) { keys.push_back(key); }));
  for (const auto& key : keys) ASSERT_TRUE(map.erase(key));
}

}  // namespace

std::unique_ptr<Datapath> DatapathTest::datapath_;
std::unique_ptr<VmFlowWalk> DatapathTest::vm_flow_walk_;
int DatapathTest::ifindex_ = 0;

flare_addr raw_addr(const std::string& text) {
  const auto address = Address::parse(text);
  if (!address) throw std::runtime_error("not an address: " + text);
  return address->raw;
}

flare_service_key service_key(const std::string& frontend, Protocol protocol) {
  const auto endpoint = Endpoint::parse(frontend);
  if (!endpoint) throw std::runtime_error("not an endpoint: " + frontend);
  return {.addr = endpoint->address.raw,
          .port = htons(endpoint->port),
          .proto = static_cast<__u8>(protocol),
          .zero = 0};
}

void DatapathTest::SetUpTestSuite() {
  if (ifindex_ == 0) {
    mount_private_bpffs();
    build_network();
    ifindex_ = static_cast<int>(if_nametoindex("in0"));
    attach_pass_program(ifindex_);
  }
  LimitConfig limits;
  limits.services = 8;
  limits.backends = 32;
  limits.flows = 4096;
  limits.embryos = 4096;
  auto loaded = Datapath::load({.pin_dir = kPinDir, .limits = limits, .libbpf_sink = {}});
  if (!loaded) throw std::runtime_error(loaded.error().message());
  datapath_ = std::make_unique<Datapath>(*std::move(loaded));
  vm_flow_walk_ = std::make_unique<VmFlowWalk>(datapath_->maps().vm_flows.handle().fd());
}

void DatapathTest::TearDownTestSuite() {
  vm_flow_walk_.reset();
  datapath_.reset();
  const auto gone = detach_all(kPinDir);
  EXPECT_TRUE(gone) << (gone ? "" : gone.error().message());
}

void DatapathTest::forget_packets() {
  erase_all(maps().flows);
  erase_all(maps().embryos);
  erase_all(maps().fragments);
  erase_all(maps().shifts);
  for (std::uint32_t id = 0; id < maps().services_max(); ++id) {
    maps().admission.clear(id);
    maps().clear_service_counters(id);
  }
  for (std::uint32_t id = 0; id < maps().backends_max(); ++id) maps().clear_backend_counters(id);
  for (std::uint32_t set = 0; set < maps().turns.size(); ++set)
    if (maps().turns.read(set).way[0].tag != 0) maps().turns.clear(set);
  for (std::uint32_t slot = 0; slot < maps().spill_prefixes.size(); ++slot)
    maps().spill_prefixes.clear(slot);
  vm_flow_walk_->forget_all();
  beat();
}

std::uint64_t DatapathTest::reasons_counted() const {
  const auto totals = maps().reason_totals();
  std::uint64_t sum = 0;
  for (const auto& hook : totals.packets)
    for (const std::uint64_t packets : hook) sum += packets;
  return sum;
}

void DatapathTest::TearDown() {
  EXPECT_EQ(reasons_counted() - counted_before_, runs_) << "rule 2: a reason for each packet";
}

void DatapathTest::SetUp() {
  runs_ = 0;
  counted_before_ = reasons_counted();
  forget_packets();
  erase_all(maps().services);
  erase_all(maps().chain_sources);
  for (std::uint32_t id = 0; id < maps().services_max(); ++id)
    for (const flare_tier tier : {FLARE_TIER_VM, FLARE_TIER_SERVERLESS})
      ASSERT_TRUE(maps().tables.withdraw(id, tier));
  const flare_settings settings = {
      .heartbeat_bound_ns = 60'000'000'000,
      .tcp_handshake_ns = 20'000'000'000,
      .tcp_established_ns = 3'600'000'000'000,
      .tcp_closing_ns = 10'000'000'000,
      .tcp_reset_ns = 5'000'000'000,
      .udp_unreplied_ns = 30'000'000'000,
      .udp_replied_ns = 120'000'000'000,
      .nat_port_min = kNatMin,
      .nat_port_max = kNatMax,
      .plain_replies = 0,
      .zero = {},
      .hash_key = {1, 2},
      .flood_rate = 0,
      .zero2 = 0,
  };
  ASSERT_TRUE(maps().settings.update(0, settings));
  beat();
}

void DatapathTest::beat() {
  maps().heartbeat.set(0, &flare_heartbeat::beat_ns, MonotonicClock().now_ns());
}

Verdicts DatapathTest::verdicts(flare_hook hook) {
  if (hook == FLARE_HOOK_XDP) return {XDP_PASS, XDP_DROP, XDP_TX};
  return {static_cast<std::uint32_t>(-1) /* TC_ACT_UNSPEC */, 2 /* SHOT */, 7 /* REDIRECT */};
}

Outcome DatapathTest::run_program(flare_hook hook, const Bytes& frame,
                                  std::uint32_t ingress_ifindex, std::uint32_t segment_bytes) {
  Outcome outcome;
  outcome.bytes.resize(frame.size() + 256);
  xdp_md xdp{};
  xdp.data_end = static_cast<__u32>(frame.size());
  xdp.ingress_ifindex = ingress_ifindex;
  __sk_buff skb{};
  skb.ifindex = static_cast<__u32>(ifindex_);
  skb.ingress_ifindex = ingress_ifindex;
  if (segment_bytes != 0) {
    skb.gso_size = segment_bytes;
    skb.gso_segs = static_cast<__u32>((frame.size() + segment_bytes - 1) / segment_bytes);
  }

  LIBBPF_OPTS(bpf_test_run_opts, options);
  options.data_in = frame.data();
  options.data_size_in = static_cast<__u32>(frame.size());
  options.data_out = outcome.bytes.data();
  options.data_size_out = static_cast<__u32>(outcome.bytes.size());
  options.ctx_in = hook == FLARE_HOOK_XDP ? static_cast<void*>(&xdp) : &skb;
  options.ctx_size_in = hook == FLARE_HOOK_XDP ? sizeof xdp : sizeof skb;
  options.repeat = 1;
  if (bpf_prog_test_run_opts(datapath_->program_fd(hook), &options) != 0)
    throw std::runtime_error(std::string("BPF_PROG_TEST_RUN: ") + std::strerror(errno));
  ++runs_;
  outcome.verdict = options.retval;
  const Verdicts may = verdicts(hook);
  EXPECT_TRUE(outcome.verdict == may.pass || outcome.verdict == may.drop ||
              outcome.verdict == may.forward)
      << "rule 1: " << outcome.verdict;
  outcome.bytes.resize(options.data_size_out);
  return outcome;
}

bool DatapathTest::kernel_runs(flare_hook hook, const Bytes& frame) {
  if (hook == FLARE_HOOK_XDP || frame.size() < 14) return frame.size() >= 14;
  const int type = frame[12] << 8 | frame[13];
  return frame.size() >= (type == 0x0800 ? 34U : type == 0x86dd ? 54U : 15U);
}

Outcome DatapathTest::run_counted(flare_hook hook, const Bytes& frame,
                                  std::uint32_t ingress_ifindex) {
  const auto before = maps().reason_totals();
  PacketJudge judge(maps());
  if (judges_) judge.look(hook, frame, runs_ % count_every_ == 0);
  Outcome outcome = run_program(hook, frame, ingress_ifindex);
  const auto after = maps().reason_totals();
  std::uint64_t counted = 0;
  std::uint32_t named = FLARE_REASONS_COUNT;
  for (std::uint32_t reason = 0; reason < FLARE_REASONS_COUNT; ++reason) {
    const std::uint64_t grown = after.packets[hook][reason] - before.packets[hook][reason];
    counted += grown;
    if (grown != 0) named = reason;
  }
  if (named < FLARE_REASONS_COUNT) outcome.reason = reason_word(named);
  if (judges_) {
    const std::string broken = judge.verdict_on(static_cast<int>(outcome.verdict), outcome.bytes,
                                                named, static_cast<unsigned>(counted));
    EXPECT_TRUE(broken.empty()) << broken;
  } else {
    EXPECT_EQ(counted, 1U) << "each packet has exactly one reason";
  }
  return outcome;
}

Outcome DatapathTest::run_frame(flare_hook hook, const Bytes& frame) {
  return run_counted(hook, frame, static_cast<std::uint32_t>(ifindex_));
}

Outcome DatapathTest::run_egress(const Bytes& frame, std::uint32_t ingress_ifindex) {
  return run_counted(FLARE_HOOK_TC_EGRESS, frame, ingress_ifindex);
}

void DatapathTest::Service::put(const Maps& maps) const {
  const auto written = maps.services.update(key, value);
  ASSERT_TRUE(written) << written.error().message();
}

DatapathTest::Service DatapathTest::make_service(const std::string& frontend, Protocol protocol,
                                                 std::uint32_t id) {
  Service service;
  service.key = service_key(frontend, protocol);
  service.value.id = id;
  service.value.epoch = 1;
  service.value.share = FLARE_SHARE_ONE;
  service.value.hour_budget = 1'000'000;
  service.value.policy = FLARE_POLICY_FORMULA;
  service.value.overload = FLARE_OVERLOAD_VM;
  service.value.fallback = FLARE_FALLBACK_BUCKET;
  service.value.hash_key[0] = 0x0123456789abcdef;
  service.value.hash_key[1] = 0xfedcba9876543210;
  service.value.snat_count = 1;
  service.value.snat[0] = service.key.addr;
  service.put(maps());
  return service;
}

void DatapathTest::make_backend(const std::string& endpoint, std::uint32_t id,
                                std::uint32_t service_id, flare_tier tier) {
  const auto parsed = Endpoint::parse(endpoint);
  ASSERT_TRUE(parsed) << endpoint;
  flare_backend backend{};
  backend.addr = parsed->address.raw;
  backend.port = htons(parsed->port);
  backend.tier = static_cast<__u8>(tier);
  backend.state = FLARE_BACKEND_ACTIVE;
  backend.generation = 1;
  backend.service_id = service_id;
  backend.weight = 1;
  ASSERT_TRUE(maps().backends.update(id, backend));
  const std::uint32_t slots[] = {id};
  const auto published = maps().tables.publish(service_id, tier, slots);
  ASSERT_TRUE(published) << published.error().message();
}

std::uint64_t DatapathTest::entries_of_flows() const { return *maps().flows.count(); }
std::uint64_t DatapathTest::entries_of_embryos() const { return *maps().embryos.count(); }
std::uint64_t DatapathTest::entries_of_everything() const {
  return entries_of_flows() + entries_of_embryos() + *maps().fragments.count();
}

std::uint16_t DatapathTest::nat_port_in_use() const {
  std::uint16_t port = 0;
  const auto look = [&port](const flare_flow_key& key, const flare_flow& flow) {
    if (flow.dir == FLARE_DIR_REVERSE) port = ntohs(key.dport);
  };
  EXPECT_TRUE(maps().flows.for_each(look));
  EXPECT_TRUE(maps().embryos.for_each(look));
  EXPECT_NE(port, 0) << "no reverse entry";
  return port;
}

}  // namespace flare::test
