// Maps as a busy agent and datapath would leave them: two services, three backends, some flows.
#pragma once

#include <arpa/inet.h>

#include <cstring>

#include "base/clock.h"
#include "kernel/maps.h"
#include "model/address.h"

namespace flare {

inline constexpr std::uint64_t kSecondNs = 1'000'000'000;

inline Endpoint endpoint(const char* text) { return *Endpoint::parse(text); }

inline flare_settings usual_settings() {
  flare_settings settings{};
  settings.heartbeat_bound_ns = 5 * kSecondNs;
  settings.tcp_handshake_ns = 20 * kSecondNs;
  settings.tcp_established_ns = 3600 * kSecondNs;
  settings.tcp_closing_ns = 10 * kSecondNs;
  settings.tcp_reset_ns = 5 * kSecondNs;
  settings.udp_unreplied_ns = 30 * kSecondNs;
  settings.udp_replied_ns = 120 * kSecondNs;
  settings.nat_port_min = 10240;
  settings.nat_port_max = 29999;
  return settings;
}

/// A service as an agent writes it. Changes to it are published by put_service().
struct FilledService {
  flare_service_key key{};
  flare_service service{};
  flare_service_info info{};
};

inline FilledService usual_service(const char* name, const char* frontend, std::uint8_t protocol,
                                   std::uint32_t id) {
  FilledService filled;
  Endpoint at = endpoint(frontend);
  filled.key.addr = at.address.raw;
  filled.key.port = htons(at.port);
  filled.key.proto = protocol;
  flare_service& service = filled.service;
  service.id = id;
  service.epoch = 1;
  service.share = FLARE_SHARE_ONE / 4;
  service.bucket_interval_ns = kSecondNs / 460;
  service.bucket_depth_ns = service.bucket_interval_ns * 33;
  service.spend_interval_ns = kSecondNs / 500;
  service.spend_depth_ns = service.spend_interval_ns * 500;
  service.ramp_interval_ns = 10 * kSecondNs / 1000;
  service.ramp_depth_ns = service.ramp_interval_ns * 1000;
  service.hour_budget = 500'000;
  service.policy = FLARE_POLICY_FORMULA;
  service.overload = FLARE_OVERLOAD_VM;
  service.fallback = FLARE_FALLBACK_BUCKET;
  service.hash_key[0] = 0x0706050403020100;
  service.hash_key[1] = 0x0f0e0d0c0b0a0908;
  service.snat_count = 1;
  service.snat[0] = at.address.raw;
  flare_service_info& info = filled.info;
  std::strncpy(info.name, name, sizeof(info.name) - 1);
  info.frontend = filled.key;
  info.capacity_mrps = 438'000;
  info.arrivals_mrps = 584'000;
  info.vm_mrps = 438'000;
  info.serverless_mrps = 146'000;
  info.wanted_share = service.share;
  info.applied_share = service.share;
  info.price_nanousd = 2629;
  info.sampled_ns = MonotonicClock().now_ns() - kSecondNs / 3;
  info.spilling_since_ns = MonotonicClock().now_ns() - 12 * kSecondNs;
  return filled;
}

inline bool put_service(const Maps& maps, const FilledService& filled) {
  return maps.services.update(filled.key, filled.service).has_value() &&
         maps.service_info.update(filled.service.id, filled.info).has_value();
}

inline bool put_backend(const Maps& maps, std::uint32_t id, const char* address,
                        std::uint32_t service_id, std::uint32_t weight,
                        flare_backend_state state = FLARE_BACKEND_ACTIVE) {
  flare_backend backend{};
  Endpoint at = endpoint(address);
  backend.addr = at.address.raw;
  backend.port = htons(at.port);
  backend.tier = FLARE_TIER_SERVERLESS;
  backend.state = static_cast<__u8>(state);
  backend.generation = 1;
  backend.service_id = service_id;
  backend.weight = static_cast<__u16>(weight);
  return maps.backends.update(id, backend).has_value();
}

/// A spilled TCP flow that is established.
inline bool put_flow(const Maps& maps, const char* client, const char* frontend,
                     const char* backend, const char* snat, std::uint32_t service_id,
                     std::uint32_t backend_id) {
  std::uint64_t now = MonotonicClock().now_ns();
  flare_flow_key forward{};
  forward.src = endpoint(client).address.raw;
  forward.dst = endpoint(frontend).address.raw;
  forward.sport = htons(endpoint(client).port);
  forward.dport = htons(endpoint(frontend).port);
  forward.proto = 6;
  flare_flow_key reverse{};
  reverse.src = endpoint(backend).address.raw;
  reverse.dst = endpoint(snat).address.raw;
  reverse.sport = htons(endpoint(backend).port);
  reverse.dport = htons(endpoint(snat).port);
  reverse.proto = 6;
  flare_flow entry{};
  entry.peer = reverse;
  entry.created_ns = now - 70 * kSecondNs;
  entry.seen_ns = now - 2 * kSecondNs;
  entry.service_id = service_id;
  entry.backend_id = backend_id;
  entry.backend_generation = 1;
  entry.flags = FLARE_FLOW_COUNTED;
  entry.tier = FLARE_TIER_SERVERLESS;
  entry.packets = 12;
  entry.bytes = 1840;
  flare_flow twin = entry;
  twin.peer = forward;
  twin.dir = FLARE_DIR_REVERSE;
  twin.flags |= FLARE_FLOW_REPLIED;
  twin.bytes = 92'400;
  maps.admission.add(service_id, &flare_admission::active, 1);
  return maps.flows.update(reverse, twin).has_value() &&
         maps.flows.update(forward, entry).has_value();
}

/// Service "web" (id 0, tcp 192.0.2.10:80, backends 1 and 2, share a quarter) and "dns6" (id 1, udp
/// [2001:db8::10]:53, backend 3, observing), a fresh heartbeat, three flows, counts.
inline bool fill(const Maps& maps) {
  bool done = maps.settings.update(0, usual_settings()).has_value();
  maps.heartbeat.set(0, &flare_heartbeat::beat_ns, MonotonicClock().now_ns());
  done = done && put_service(maps, usual_service("web", "192.0.2.10:80", 6, 0));
  FilledService dns = usual_service("dns6", "[2001:db8::10]:53", 17, 1);
  dns.service.policy = FLARE_POLICY_OBSERVE;
  dns.service.share = 0;
  dns.info.applied_share = 0;
  dns.info.spilling_since_ns = 0;
  done = done && put_service(maps, dns);
  done = done && put_backend(maps, 1, "198.51.100.1:8080", 0, 3);
  done = done && put_backend(maps, 2, "198.51.100.2:8080", 0, 1, FLARE_BACKEND_DRAINING);
  done = done && put_backend(maps, 3, "[2001:db8:1::1]:53", 1, 1);
  std::vector<std::uint32_t> slots(1021, 1);
  for (std::size_t i = 0; i < slots.size(); i += 4) slots[i] = 2;
  done = done && maps.tables.publish(0, FLARE_TIER_SERVERLESS, slots).has_value();
  done = done && put_flow(maps, "203.0.113.5:40001", "192.0.2.10:80", "198.51.100.1:8080",
                          "192.0.2.10:10300", 0, 1);
  done = done && put_flow(maps, "203.0.113.5:40002", "192.0.2.10:80", "198.51.100.1:8080",
                          "192.0.2.10:10301", 0, 1);
  done = done && put_flow(maps, "203.0.113.9:51515", "192.0.2.10:80", "198.51.100.2:8080",
                          "192.0.2.10:10300", 0, 2);
  std::uint32_t web = 0;
  maps.service_counters.add(web, &flare_service_counters::handshakes, 4711);
  maps.service_counters.add(web, &flare_service_counters::port_probes, 4810);
  auto count = [&maps](auto pick, std::uint64_t times) {
    for (std::uint64_t i = 0; i < times; ++i) maps.service_counters.bump(0, pick);
  };
  count(
      [](auto& row) -> auto& { return row.tier[FLARE_TIER_SERVERLESS].flows_new; }, 4720);
  count(
      [](auto& row) -> auto& { return row.tier[FLARE_TIER_VM].flows_new; }, 26'000);
  count(
      [](auto& row) -> auto& { return row.tier[FLARE_TIER_VM].packets_in; }, 180'000);
  count(
      [](auto& row) -> auto& { return row.tier[FLARE_TIER_VM].requests; }, 25'007);
  count(
      [](auto& row) -> auto& { return row.tier[FLARE_TIER_VM].answers; }, 25'000);
  maps.admission.visit(web, [](flare_admission& row) { row.in_flight[FLARE_TIER_VM] = 7; });
  maps.latencies.visit(web, [](flare_histogram& row) {
    row.count[1 + 12 * FLARE_LATENCY_SUB] = 25'000;  // 67 to 75 ms
    row.sum_ns = 25'000 * 70'000'000ULL;
  });
  count(
      [](auto& row) -> auto& { return row.spilled[FLARE_SPILL_SHARE]; }, 4700);
  count(
      [](auto& row) -> auto& { return row.spilled[FLARE_SPILL_BUCKET]; }, 20);
  count(
      [](auto& row) -> auto& { return row.refused[FLARE_REFUSAL_SPEND_RATE]; }, 17);
  auto reason = [&maps](flare_hook hook, flare_reason why, std::uint64_t times) {
    for (std::uint64_t i = 0; i < times; ++i) {
      maps.reason_counters.bump(
          0, [&](auto& row) -> auto& { return row.packets[hook][why]; });
    }
  };
  reason(FLARE_HOOK_TC_INGRESS, FLARE_REASON_NOT_SERVICE, 300);
  reason(FLARE_HOOK_TC_INGRESS, FLARE_REASON_VM_NEW, 26'000);
  reason(FLARE_HOOK_TC_INGRESS, FLARE_REASON_SPILL_NEW, 4720);
  reason(FLARE_HOOK_TC_INGRESS, FLARE_REASON_OVERLOAD_DROP, 7);
  reason(FLARE_HOOK_TC_EGRESS, FLARE_REASON_VM_REPLY, 27'000);
  return done;
}

}  // namespace flare
