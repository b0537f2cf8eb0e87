#include "arena.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "support/packet.h"

namespace flare::bench {
namespace {

using test::Packet;
using test::TcpFlags;

/// Beside those of the world.
constexpr std::uint32_t kService = 100;
constexpr std::uint32_t kFirstBackend = 400;
constexpr std::uint16_t kPort = 90;
constexpr HashKey kTableKey{0x0fed'cba9'8765'4321, 0x1234'5678'9abc'def0};
constexpr std::size_t kRoomBehind = 64;  ///< for what a program may add to a frame

void require(const Result<void>& result) {
  if (!result) throw std::runtime_error(result.error().message());
}

Endpoint endpoint(const std::string& text) {
  const auto parsed = Endpoint::parse(text);
  if (!parsed) throw std::runtime_error("not an endpoint: " + text);
  return *parsed;
}

flare_backend backend_value(const Endpoint& at, std::uint32_t weight) {
  flare_backend value{};
  value.addr = at.address.raw;
  value.port = htons(at.port);
  value.tier = FLARE_TIER_VM;
  value.state = FLARE_BACKEND_ACTIVE;
  value.generation = 1;
  value.service_id = kService;
  value.weight = static_cast<__u16>(weight);
  return value;
}

flare_service service_value(const Endpoint& frontend, flare_select select) {
  flare_service value{};
  value.id = kService;
  value.epoch = 1;
  value.placement = FLARE_PLACEMENT_BALANCER;
  value.policy = FLARE_POLICY_FORMULA;
  value.overload = FLARE_OVERLOAD_VM;
  value.fallback = FLARE_FALLBACK_BUCKET;
  value.select = static_cast<__u8>(select);
  value.hash_key[0] = 0x0123456789abcdef;
  value.hash_key[1] = 0xfedcba9876543210;
  value.snat_count = 1;
  value.snat[0] = frontend.address.raw;
  return value;
}

template <typename Map>
void erase_all(const Map& map) {
  std::vector<flare_flow_key> keys;
  require(map.for_each([&keys](const auto& key, const auto&) { keys.push_back(key); }));
  for (const flare_flow_key& key : keys) static_cast<void>(map.erase(key));
}

}  // namespace

Endpoint backend_endpoint(Family family, std::uint32_t number) {
  const std::string text = family == Family::kV4 ? "10.9." + std::to_string(number / 250) + "." +
                                                       std::to_string(number % 250 + 1)
                                                 : "2001:db8:9::" + std::to_string(number + 1);
  return endpoint(at(text, kBackendPort));
}

Arena::Arena(World& world, Family family, std::span<const std::uint32_t> weights,
             flare_select select)
    : world_(world),
      family_(family),
      weights_(weights.begin(), weights.end()),
      frontend_(endpoint(at(host_address(family), kPort))) {
  const Maps& maps = world_.maps();
  std::vector<MaglevBackend> all;
  for (std::uint32_t n = 0; n < weights_.size(); ++n) {
    endpoints_.push_back(backend_endpoint(family, n));
    require(maps.backends.update(kFirstBackend + n, backend_value(endpoints_[n], weights_[n])));
    by_last_word_[endpoints_[n].address.raw.word[3]] = n;
    all.push_back({kFirstBackend + n, endpoints_[n], weights_[n]});
  }
  const auto table = maglev_table(all, kTableKey, maglev_slots(all));
  require(maps.tables.publish(kService, FLARE_TIER_VM, table));
  const flare_service_key key = {.addr = frontend_.address.raw,
                                 .port = htons(kPort),
                                 .proto = static_cast<__u8>(Protocol::kTcp),
                                 .zero = 0};
  require(maps.services.update(key, service_value(frontend_, select)));
  forget();
}

std::vector<std::uint32_t> Arena::slots() const {
  const auto table = world_.maps().tables.read(kService, FLARE_TIER_VM);
  if (!table) throw std::runtime_error(table.error().message());
  std::vector<std::uint32_t> count(weights_.size());
  for (const std::uint32_t id : *table) ++count.at(id - kFirstBackend);
  return count;
}

Client Arena::client(std::uint64_t bits) const {
  Address address = *Address::parse(family_ == Family::kV4 ? "100.64.0.0" : "2001:db8:c::");
  const auto low = static_cast<std::uint32_t>(bits >> 32);
  if (family_ == Family::kV4) {
    address.raw.word[3] |= htonl(low & 0x003f'ffff);
  } else {
    address.raw.word[2] = htonl(static_cast<std::uint32_t>(bits) & 0xffff'0000);
    address.raw.word[3] = htonl(low);
  }
  return {address, static_cast<std::uint16_t>(std::max<std::uint64_t>(bits & 0xffff, 1024))};
}

Packet Arena::of_client(const Client& client, std::uint8_t flags) const {
  Packet packet;
  packet.src = client.address;
  packet.dst = frontend_.address;
  packet.sport = client.port;
  packet.dport = kPort;
  packet.tcp_flags = flags;
  return packet;
}

Packet Arena::of_backend(const Connection& connection, std::uint8_t flags) const {
  Packet packet;
  packet.src = endpoints_[connection.backend].address;
  packet.dst = connection.nat;
  packet.sport = kBackendPort;
  packet.dport = connection.nat_port;
  packet.tcp_flags = flags;
  packet.seq = 5000;
  packet.ack = 1001;
  return packet;
}

std::vector<std::uint8_t> Arena::send(const Packet& packet, std::uint32_t verdict) {
  const test::Bytes frame = packet.bytes();
  std::vector<std::uint8_t> out(frame.size() + kRoomBehind);
  xdp_md context{};
  context.data_end = static_cast<__u32>(frame.size());
  context.ingress_ifindex = world_.ifindex();
  LIBBPF_OPTS(bpf_test_run_opts, options);
  options.data_in = frame.data();
  options.data_size_in = static_cast<__u32>(frame.size());
  options.data_out = out.data();
  options.data_size_out = static_cast<__u32>(out.size());
  options.ctx_in = &context;
  options.ctx_size_in = sizeof context;
  options.repeat = 1;
  if (bpf_prog_test_run_opts(world_.datapath().program_fd(FLARE_HOOK_XDP), &options) != 0)
    throw std::runtime_error(std::string("BPF_PROG_TEST_RUN: ") + std::strerror(errno));
  if (options.retval != verdict)
    throw std::runtime_error("the verdict is " + std::to_string(options.retval) + " and not " +
                             std::to_string(verdict) + " for\n" + test::hex_dump(frame));
  out.resize(options.data_size_out);
  return out;
}

std::uint32_t Arena::backend_of(std::span<const std::uint8_t> address) const {
  std::uint32_t last = 0;
  std::memcpy(&last, address.last(4).data(), 4);
  const auto found = by_last_word_.find(last);
  if (found == by_last_word_.end())
    throw std::runtime_error("a packet went to none of the backends");
  return found->second;
}

Connection Arena::open(const Client& client) {
  const std::vector<std::uint8_t> out = send(of_client(client, TcpFlags::kSyn), XDP_TX);
  const std::size_t size = family_ == Family::kV4 ? 4 : 16;
  const std::size_t source = family_ == Family::kV4 ? 26 : 22;
  const auto frame = std::span(out);
  Connection made{client, backend_of(frame.subspan(source + size, size)), {}, 0};
  made.nat = frontend_.address;  // the only one of `snat`
  made.nat_port =
      static_cast<std::uint16_t>(frame[source + 2 * size] << 8 | frame[source + 2 * size + 1]);
  return made;
}

void Arena::ask(const Connection& connection) {
  send(of_backend(connection, TcpFlags::kSyn | TcpFlags::kAck), XDP_TX);
  Packet request = of_client(connection.client, TcpFlags::kAck | TcpFlags::kPsh);
  request.seq = 1001;
  request.ack = 5001;
  request.payload = test::to_bytes("GET / HTTP/1.1\r\n\r\n");
  send(request, XDP_TX);
}

void Arena::answer(const Connection& connection) {
  Packet answer = of_backend(connection, TcpFlags::kAck | TcpFlags::kFin);
  answer.seq = 5001;
  answer.ack = 1019;
  answer.payload = test::to_bytes("HTTP/1.1 200 OK\r\n\r\n");
  send(answer, XDP_TX);
  Packet end = of_client(connection.client, TcpFlags::kAck | TcpFlags::kFin);
  end.seq = 1019;
  end.ack = 5021;
  send(end, XDP_TX);
}

flare_backend_load Arena::load(std::uint32_t backend) const {
  return world_.maps().backend_loads.read(kFirstBackend + backend);
}

flare_traffic Arena::traffic() const {
  return world_.maps().service_totals(kService).tier[FLARE_TIER_VM];
}

void Arena::forget() {
  const Maps& maps = world_.maps();
  erase_all(maps.flows);
  erase_all(maps.embryos);
  maps.admission.clear(kService);
  maps.clear_service_counters(kService);
  for (std::uint32_t n = 0; n < weights_.size(); ++n) {
    maps.clear_backend_counters(kFirstBackend + n);
    maps.backend_loads.clear(kFirstBackend + n);
  }
}

}  // namespace flare::bench
