#include "datapath/world.h"

#include <arpa/inet.h>
#include <linux/bpf.h>

#include "shim/host.h"
#include "shim/programs.h"

namespace flare::fuzz {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000, kStart = 1'000'000 * kSecond;
constexpr std::uint32_t kVmBackend = 1, kServerlessBackend = 9;  // and up: one for each service

/// Backends by where they are, as the fixtures have them: tests/bpf/scene.cpp, enum Path.
flare_addr backend_address(bool is_v6, unsigned path, unsigned number) {
  constexpr std::uint8_t kLast[] = {10, 64, 80, 96, 112};
  constexpr std::uint16_t kFourth[] = {0, 0x64, 0x80, 0x96, 0x112};
  if (!is_v6) return v4(203, 0, 113, static_cast<std::uint8_t>(kLast[path] + number));
  return v6(5, kFourth[path], (path == 0 ? 0x10 : 1) + number);
}

template <typename Key, typename Value>
void put(Map& map, const Key& key, const Value& value) {
  map.update(&key, &value, BPF_ANY);
}

}  // namespace

const NamedMaps& named() {
  static const NamedMaps all = [] {
    flare_xdp_maps();
    flare_tc_maps();
    return NamedMaps{};
  }();
  return all;
}

std::uint16_t swapped(std::uint16_t number) { return htons(number); }

flare_addr v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
  const std::uint8_t bytes[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d};
  flare_addr addr;
  std::memcpy(&addr, bytes, sizeof addr);
  return addr;
}

flare_addr v6(std::uint16_t third, std::uint16_t fourth, std::uint32_t last) {
  return {.word = {htonl(0x20010db8), htonl(static_cast<std::uint32_t>(third) << 16 | fourth), 0,
                   htonl(last)}};
}

World::World() {
  for (Map* map : {&named().backend_loads, &named().sock_backend_loads, &named().backend_counters,
                   &named().backends})
    map->resize(kBackends);
  for (Map* map : {&named().sock_loads, &named().service_counters}) map->resize(kServices);
  named().latencies.resize(kServices * 4);
  for (auto& table : tables_)
    table = std::make_unique<Map>(MapSpec{"", BPF_MAP_TYPE_ARRAY, 4, 4, 8});
}

flare_service_key World::frontend(bool is_v6, bool udp) {
  return {.addr = is_v6 ? v6(0, 0, 1) : v4(192, 0, 2, 1),
          .port = htons(udp ? 53 : 80),
          .proto = static_cast<__u8>(udp ? 17 : 6),
          .zero = 0};
}

void World::beat(std::uint64_t at) {
  const std::uint32_t zero = 0;
  entry<flare_heartbeat>(named().heartbeat, zero)->beat_ns = at;
}

void World::build(Input& input) {
  std::uint8_t setup[kSetupBytes];
  for (auto& each : setup) each = input.byte();
  maps().clear();
  for (auto& table : tables_) table->clear();
  host().now_ns = kStart;
  host().routes = {.forwarding = (setup[0] & 0x80) == 0, .backends_lost = false};
  host().fail_helper = 0;
  disturbed_ = false;

  constexpr unsigned kFull = 4096, kSizes[] = {kFull, 2, 4, 16};
  named().flows.resize(kSizes[setup[7] & 3]);
  named().embryos.resize(kSizes[setup[7] >> 2 & 3]);
  named().fragments.resize(kSizes[setup[7] >> 4 & 3]);
  named().affinities.resize(kSizes[setup[7] >> 6 & 3]);
  named().http2.resize(kSizes[setup[8] >> 2 & 3]);
  named().shifts.resize(kSizes[setup[8] >> 4 & 3]);

  const flare_settings settings = {.heartbeat_bound_ns = 60 * kSecond,
                                   .tcp_handshake_ns = 20 * kSecond,
                                   .tcp_established_ns = 3600 * kSecond,
                                   .tcp_closing_ns = 10 * kSecond,
                                   .tcp_reset_ns = 5 * kSecond,
                                   .udp_unreplied_ns = 30 * kSecond,
                                   .udp_replied_ns = 120 * kSecond,
                                   .nat_port_min = kNatMin,
                                   .nat_port_max = (setup[9] & 0x10) != 0 ? kNatCrowded : kNatMax,
                                   .plain_replies = static_cast<__u8>(setup[0] >> 5 & 1),
                                   .zero = {},
                                   .hash_key = {1, 2},
                                   .flood_rate = (setup[8] >> 6) * 2U,
                                   .zero2 = 0};
  put(named().settings, std::uint32_t{0}, settings);
  if ((setup[8] & 3) != 3) beat((setup[8] & 3) == 0 ? kStart : kStart - 100 * kSecond);
  put(named().chain_sources, flare_prefix{.bits = 96 + 24, .addr = v4(203, 0, 113, 0)},
      std::uint32_t{1});
  put(named().chain_sources, flare_prefix{.bits = 48, .addr = v6(5, 0, 0)}, std::uint32_t{1});
  put_services(setup);
  put_backends(setup);
}

void World::put_services(const std::uint8_t* setup) {
  constexpr std::uint64_t kShares[] = {FLARE_SHARE_ONE, 0, FLARE_SHARE_ONE / 2,
                                       FLARE_SHARE_ONE / 4};
  flare_service service{};
  service.epoch = 1;
  service.placement = setup[0] % 4 % FLARE_PLACEMENTS_COUNT;
  service.snat_mode = (setup[0] >> 2 & 3) % FLARE_SNATS_COUNT;
  service.select = setup[0] >> 4 & 1;
  service.policy =
      static_cast<__u8>((FLARE_POLICY_FORMULA + (setup[1] >> 3 & 3)) % FLARE_POLICIES_COUNT);
  service.overload = (setup[1] >> 5 & 3) % FLARE_OVERLOADS_COUNT;
  service.fallback = setup[1] >> 7;
  service.share = kShares[setup[2] & 3];
  service.counting = (setup[2] >> 2 & 3) % FLARE_COUNTINGS_COUNT;
  service.chain = (setup[2] >> 4 & 3) % FLARE_CHAINS_COUNT;
  service.move = setup[2] >> 6 & 1;
  service.move_gated = setup[2] >> 7;
  service.cap = setup[3] & 15;
  service.workers = setup[3] >> 4;
  service.bucket_interval_ns = (setup[4] & 7U) * kSecond / 8;
  service.bucket_depth_ns = 4 * service.bucket_interval_ns;
  service.spend_interval_ns = (setup[4] >> 3 & 7U) * kSecond / 8;
  service.spend_depth_ns = 2 * service.spend_interval_ns;
  service.prefix_interval_ns = (setup[9] >> 5 & 1U) * 2 * service.spend_interval_ns;
  service.prefix_depth_ns = service.spend_depth_ns;
  service.ramp_interval_ns = (setup[4] >> 6) * kSecond;
  service.ramp_depth_ns = 2 * service.ramp_interval_ns;
  service.hour_budget = setup[5] == 0 ? 1'000'000 : setup[5] - 1U;
  service.active_max = setup[6] & 15;
  service.affinity_ns = (setup[6] >> 4) * kSecond;
  service.hash_key[0] = 0x0123456789abcdef;
  service.hash_key[1] = 0xfedcba9876543210;
  service.move_interval_ns[0] = service.move_interval_ns[1] = service.move;
  service.move_depth_ns[0] = service.move_depth_ns[1] = kSecond;
  service.snat_count = setup[9] % 4 % 3;
  moves_ = service.move != FLARE_MOVE_NONE;
  for (unsigned id = 1; id <= 4; ++id) {
    const bool is_v6 = id > 2, udp = id % 2 == 0;
    service.id = id;
    service.snat[0] = is_v6 ? v6(0, 0, 1) : v4(192, 0, 2, 1);
    service.snat[1] = is_v6 ? v6(0, 0, 2) : v4(192, 0, 2, 2);
    put(named().services, frontend(is_v6, udp), service);
  }
}

void World::put_backends(const std::uint8_t* setup) {
  const unsigned path = (setup[1] & 7U) % 5, count = 1 + (setup[9] >> 2 & 1U);
  for (unsigned id = 1; id <= 4; ++id) {
    const bool is_v6 = id > 2, udp = id % 2 == 0;
    for (const std::uint32_t base : {kVmBackend, kServerlessBackend})
      for (unsigned number = 0; number < 2; ++number) {
        flare_backend backend{};
        backend.addr = backend_address(is_v6, path, number + (setup[9] >> 3 & base & 8U));
        backend.port = htons(udp ? 5353 : 8080);
        backend.tier = base == kVmBackend ? FLARE_TIER_VM : FLARE_TIER_SERVERLESS;
        backend.generation = 1;
        backend.service_id = id;
        backend.weight = static_cast<__u16>(1 + number);
        backend.flags = base == kVmBackend && (setup[0] & 0x40) != 0 ? FLARE_BACKEND_LOCAL : 0;
        put(named().backends, base + 2 * (id - 1) + number, backend);
      }
    publish(id, FLARE_TIER_VM, count);
    publish(id, FLARE_TIER_SERVERLESS, count);
  }
}

void World::publish(std::uint32_t service, unsigned tier, unsigned count) {
  const std::uint32_t which = service * 2 + tier;
  Map* table = tables_[which].get();
  put(*table, std::uint32_t{0}, std::uint32_t{count});
  for (std::uint32_t slot = 0; slot < count; ++slot)
    put(*table, slot + 1,
        (tier == FLARE_TIER_VM ? kVmBackend : kServerlessBackend) + 2 * (service - 1) + slot);
  put(named().tables, which, table);
}

const flare_service* World::service_at(const flare_addr& addr, std::uint16_t port,
                                       std::uint8_t proto) {
  const flare_service_key key = {.addr = addr, .port = port, .proto = proto, .zero = 0};
  return entry<flare_service>(named().services, key);
}

void World::change(std::uint8_t what, std::uint8_t which) {
  const std::uint32_t id = 1 + which % 4U, backend = 1 + which % 16U;
  const flare_service_key key = frontend(id > 2, id % 2 == 0);
  auto* service = entry<flare_service>(named().services, key);
  switch (what % 10) {
    case 0:
      entry<flare_backend>(named().backends, backend)->state =
          (which >> 4) % FLARE_BACKEND_STATES_COUNT;
      return;
    case 1:
      if (service != nullptr) service->share = std::uint64_t{which} << 24;
      return;
    case 2: {
      const std::uint32_t table = id * 2 + (which >> 4 & 1U);
      named().tables.erase(&table);
      return;
    }
    case 3:
      publish(id, which >> 4 & 1U, 1 + (which >> 5 & 1U));
      return;
    case 4:
      if (service != nullptr) service->retired = which >> 4 & 1;
      return;
    case 5: {
      Map* const lossy[] = {&named().embryos, &named().fragments, &named().affinities,
                            &named().http2};
      lossy[which % 4]->evict(which >> 2);
      return;
    }
    case 6:
      host().routes.backends_lost = (which & 1) != 0;
      return;
    case 7:
      beat(host().now_ns);
      return;
    case 8:
      ++entry<flare_backend>(named().backends, backend)->generation;
      disturbed_ = true;
      return;
    default:
      named().services.erase(&key);
      disturbed_ = true;
      return;
  }
}

}  // namespace flare::fuzz
