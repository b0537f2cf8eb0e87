#include "service/compose.h"

#include <arpa/inet.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/clock.h"
#include "control/limits.h"
#include "control/maglev.h"
#include "health/verdict.h"

namespace flare {
namespace {

bool is_local(const std::vector<BackendConfig>& backends, const HostAddresses& host) {
  return std::any_of(backends.begin(), backends.end(), [&host](const BackendConfig& backend) {
    return host.contains(backend.endpoint.address);
  });
}

/// Whether replies may come to an address and port that are not ours: the client kept its own.
bool replies_plainly(const ServiceConfig& service, const HostAddresses& host) {
  switch (service.placement) {
    case FLARE_PLACEMENT_SENDER:
      return true;
    case FLARE_PLACEMENT_BALANCER:
      return service.snat_mode != FLARE_SNAT_ALWAYS || is_local(service.vm, host) ||
             is_local(service.serverless, host);
    default:
      return false;
  }
}

}  // namespace

std::uint64_t flow_life_ns(const Config& config) {
  return to_ns(std::max(config.timeouts.tcp_established, config.timeouts.udp_replied));
}

flare_settings compose_settings(const Config& config, const HashKey& hash_key,
                                const HostAddresses& host) {
  flare_settings settings{};
  settings.heartbeat_bound_ns = to_ns(config.agent.heartbeat_bound);
  settings.tcp_handshake_ns = to_ns(config.timeouts.tcp_handshake);
  settings.tcp_established_ns = to_ns(config.timeouts.tcp_established);
  settings.tcp_closing_ns = to_ns(config.timeouts.tcp_closing);
  settings.tcp_reset_ns = to_ns(config.timeouts.tcp_reset);
  settings.udp_unreplied_ns = to_ns(config.timeouts.udp_unreplied);
  settings.udp_replied_ns = to_ns(config.timeouts.udp_replied);
  settings.flood_rate = config.agent.flood_rate;
  settings.nat_port_min = config.nat.port_min;
  settings.nat_port_max = config.nat.port_max;
  const bool plain =
      std::any_of(config.services.begin(), config.services.end(),
                  [&host](const ServiceConfig& service) { return replies_plainly(service, host); });
  settings.plain_replies = plain ? 1 : 0;
  std::copy(hash_key.begin(), hash_key.end(), settings.hash_key);
  return settings;
}

flare_service compose_service(const ServiceConfig& service, std::uint32_t id,
                              const HashKey& hash_key, const Steering& steering) {
  flare_service value{};
  value.id = id;
  value.share = steering.share;
  const RateLimit bucket = bucket_limit(steering.bucket_rps, service.bucket_depth);
  const RateLimit spend = spend_limit(service.spend);
  const RateLimit prefix = prefix_limit(service.spend);
  const RateLimit ramp = ramp_limit(service.spend);
  value.bucket_interval_ns = bucket.interval_ns;
  value.bucket_depth_ns = bucket.depth_ns;
  value.spend_interval_ns = spend.interval_ns;
  value.spend_depth_ns = spend.depth_ns;
  value.prefix_interval_ns = prefix.interval_ns;
  value.prefix_depth_ns = prefix.depth_ns;
  value.ramp_interval_ns = ramp.interval_ns;
  value.ramp_depth_ns = ramp.depth_ns;
  value.hour_budget = service.spend.per_hour;
  value.active_max = service.spend.active;
  value.workers = steering.workers;
  value.cap = steering.cap;
  value.placement = static_cast<__u8>(service.placement);
  value.policy = static_cast<__u8>(service.policy);
  if (!steering.enforced)
    value.policy = FLARE_POLICY_OBSERVE;
  else if (service.policy == FLARE_POLICY_OBSERVE)
    value.policy = FLARE_POLICY_FORMULA;
  value.counting = static_cast<__u8>(service.counting);
  value.overload = static_cast<__u8>(service.overload);
  value.snat_mode = static_cast<__u8>(service.snat_mode);
  value.select = static_cast<__u8>(service.select);
  value.chain = static_cast<__u8>(service.chain);
  value.affinity_ns = to_ns(service.affinity);
  value.fallback = static_cast<__u8>(service.fallback);
  value.move = static_cast<__u8>(service.move.how);
  value.move_gated = steering.moves.gated ? 1 : 0;
  value.steering = steering.number;
  const RateLimit out = move_limit(steering.moves.vm);
  const RateLimit home = move_limit(steering.moves.serverless);
  value.move_interval_ns[FLARE_TIER_VM] = out.interval_ns;
  value.move_depth_ns[FLARE_TIER_VM] = out.depth_ns;
  value.move_interval_ns[FLARE_TIER_SERVERLESS] = home.interval_ns;
  value.move_depth_ns[FLARE_TIER_SERVERLESS] = home.depth_ns;
  std::copy(hash_key.begin(), hash_key.end(), value.hash_key);
  const std::vector<Address> own{service.frontend.address};
  const std::vector<Address>& snat = service.snat.empty() ? own : service.snat;
  for (const Address& address : snat) value.snat[value.snat_count++] = address.raw;
  return value;
}

flare_backend compose_backend(const BackendConfig& backend, const BackendFacts& facts) {
  flare_backend value{};
  value.addr = backend.endpoint.address.raw;
  value.port = htons(backend.endpoint.port);
  value.tier = static_cast<__u8>(facts.tier);
  value.state = static_cast<__u8>(backend.state);
  if (facts.drained && backend.state == FLARE_BACKEND_ACTIVE) value.state = FLARE_BACKEND_DRAINING;
  value.state = std::max(value.state, static_cast<__u8>(facts.health));
  value.generation = facts.generation;
  value.service_id = facts.service_id;
  value.weight = static_cast<__u16>(backend.weight);
  value.flags = facts.local ? FLARE_BACKEND_LOCAL : 0;
  return value;
}

flare_backend compose_gone(const flare_backend& last) {
  flare_backend value{};
  value.generation = last.generation;
  // Clients that kept to it must not be sent to an address that is no more.
  if (last.generation > 0) value.state = FLARE_BACKEND_DRAINING;
  return value;
}

flare_service_info compose_info(const ServiceConfig& service) {
  flare_service_info info{};
  service.name.copy(info.name, sizeof(info.name) - 1);
  info.frontend = key_of(service);
  info.capacity_mrps = static_cast<__u64>(std::llround(service.capacity_rps * 1000));
  info.price_nanousd = price_nanousd(service.price);
  return info;
}

flare_service compose_retired(const flare_service& last) {
  flare_service value = last;
  value.retired = 1;
  value.share = 0;
  value.move = FLARE_MOVE_NONE;
  value.bucket_interval_ns = 0;
  value.bucket_depth_ns = 0;
  value.cap = 0;
  value.hour_budget = 0;
  value.policy = FLARE_POLICY_OBSERVE;
  value.overload = FLARE_OVERLOAD_VM;
  return value;
}

std::vector<std::uint32_t> compose_table(const std::vector<flare_backend>& backends,
                                         const std::vector<BackendIdentity>& identities,
                                         const HashKey& hash_key,
                                         const std::vector<std::uint32_t>& parts,
                                         std::uint32_t slots) {
  std::vector<MaglevBackend> all;
  std::vector<MaglevBackend> usable;
  std::vector<std::uint32_t> parts_of_usable;
  for (std::size_t i = 0; i < backends.size(); ++i) {
    all.push_back({identities[i].id, Endpoint{Address{backends[i].addr}, ntohs(backends[i].port)},
                   backends[i].weight});
    if (backends[i].state != FLARE_BACKEND_ACTIVE) continue;
    usable.push_back(all.back());
    parts_of_usable.push_back(parts.empty() ? kFullWeight : parts[i]);
  }
  // flare_backend.weight has 16 bits and a part 11 at most.
  for (std::size_t i = 0; i < usable.size(); ++i) usable[i].weight *= parts_of_usable[i];
  return maglev_table(usable, hash_key, maglev_slots(all, slots));
}

}  // namespace flare
