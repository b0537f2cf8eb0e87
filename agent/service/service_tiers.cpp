// Where the flows of a service go: its backends and tables, and what is common to all services.
#include <algorithm>
#include <cstring>

#include "service/compose.h"
#include "service/service_set.h"

namespace flare {
namespace {

template <typename Value>
bool same_bytes(const Value& a, const Value& b) {
  return std::memcmp(&a, &b, sizeof(Value)) == 0;
}

bool contains(const std::vector<flare_prefix>& list, const flare_prefix& prefix) {
  return std::any_of(list.begin(), list.end(),
                     [&prefix](const flare_prefix& one) { return same_bytes(one, prefix); });
}

std::vector<flare_prefix> keys_of(const std::vector<Prefix>& prefixes) {
  std::vector<flare_prefix> keys;
  for (const Prefix& prefix : prefixes) keys.push_back(prefix.key());
  return keys;
}

}  // namespace

/// Flows of the configuration before may still have kept their client's address.
Result<void> ServiceSet::put_settings(const Config& config, std::uint64_t now_ns) {
  flare_settings settings = compose_settings(config, hash_key_, host_);
  if (settings.plain_replies != 0 || tables_.settings().plain_replies == 0) {
    plain_until_ns_ = 0;
  } else {
    settings.plain_replies = 1;
    const auto& timeouts = config.timeouts;
    const std::chrono::nanoseconds life = std::max(timeouts.tcp_established, timeouts.udp_replied);
    if (plain_until_ns_ == 0) plain_until_ns_ = now_ns + static_cast<std::uint64_t>(life.count());
  }
  return tables_.put_settings(settings);
}

Result<void> ServiceSet::end_plain_replies(std::uint64_t now_ns) {
  if (plain_until_ns_ == 0 || now_ns < plain_until_ns_) return {};
  auto put = tables_.put_settings(compose_settings(config_, hash_key_, host_));
  if (!put) return put.error();
  plain_until_ns_ = 0;
  return {};
}

Result<void> ServiceSet::add_chain_sources(const Config& config) {
  auto known = tables_.chain_sources();
  if (!known) return known.error();
  for (const flare_prefix& prefix : keys_of(config.serverless_sources)) {
    if (contains(*known, prefix)) continue;
    auto added = tables_.add_chain_source(prefix);
    if (!added) return added.error().within("serverless_sources");
  }
  return {};
}

Result<void> ServiceSet::drop_chain_sources(const Config& config) {
  auto known = tables_.chain_sources();
  if (!known) return known.error();
  const std::vector<flare_prefix> wanted = keys_of(config.serverless_sources);
  for (const flare_prefix& prefix : *known) {
    if (contains(wanted, prefix)) continue;
    auto erased = tables_.erase_chain_source(prefix);
    if (!erased) return erased.error().within("serverless_sources");
  }
  return {};
}

/// A table with slots is there before the service that reads it; an empty one comes after it.
Result<void> ServiceSet::put_service(Managed& service) {
  auto backends = put_backends(service);
  if (!backends) return backends.error();
  TierTables tables = tables_of(service);
  for (const bool before : {true, false}) {
    for (const flare_tier tier : kTiers) {
      if (tables[tier].empty() == before) continue;
      auto put = put_table(service, tier, tables[tier]);
      if (!put) return put.error();
    }
    if (!before) break;
    auto published = publish(service);
    if (!published) return published.error();
  }
  return {};
}

flare_backend ServiceSet::backend_value(const Managed& service, flare_tier tier,
                                        std::size_t index) const {
  const BackendConfig& backend = service.config.backends(tier)[index];
  return compose_backend(
      backend,
      {tier, service.identity.id, service.identity.backends[tier][index].generation,
       is_drained(service.config.name, backend.endpoint), host_.contains(backend.endpoint.address),
       verdict_of(service, tier, backend.endpoint).state});
}

Result<void> ServiceSet::put_backends(const Managed& service) {
  for (const flare_tier tier : kTiers) {
    const auto& list = service.config.backends(tier);
    for (std::size_t i = 0; i < list.size(); ++i) {
      const std::uint32_t id = service.identity.backends[tier][i].id;
      const flare_backend wanted = backend_value(service, tier, i);
      const flare_backend before = tables_.backend(id);
      if (same_bytes(wanted, before)) continue;
      if (wanted.generation != before.generation) tables_.clear_backend(id);
      auto put = tables_.put_backend(id, wanted);
      if (!put) return put.error().within("backend " + list[i].endpoint.text());
    }
  }
  return {};
}

ServiceSet::TierTables ServiceSet::tables_of(const Managed& service) const {
  TierTables tables;
  for (const flare_tier tier : kTiers) {
    std::vector<flare_backend> backends;
    std::vector<std::uint32_t> parts;
    for (std::size_t i = 0; i < service.config.backends(tier).size(); ++i) {
      backends.push_back(backend_value(service, tier, i));
      parts.push_back(verdict_of(service, tier, service.config.backends(tier)[i].endpoint).weight);
    }
    tables[tier] = compose_table(backends, service.identity.backends[tier], hash_key_, parts);
  }
  return tables;
}

Result<void> ServiceSet::put_table(Managed& service, flare_tier tier,
                                   std::vector<std::uint32_t> table) {
  if (service.tables[tier] == table) return {};
  auto put = tables_.put_table(service.identity.id, tier, table);
  if (!put) return put.error().within("table of service '" + service.config.name + "'");
  service.tables[tier] = std::move(table);
  return {};
}

Result<void> ServiceSet::set_host_addresses(HostAddresses addresses) {
  if (addresses == host_) return {};
  host_ = std::move(addresses);
  if (!started_) return {};
  flare_settings settings = compose_settings(config_, hash_key_, host_);
  // Flows that are open may have kept their client's address; the next configuration ends that.
  settings.plain_replies |= tables_.settings().plain_replies;
  auto put = tables_.put_settings(settings);
  for (Managed& service : services_) {
    if (put) put = put_backends(service);
  }
  return put;
}

}  // namespace flare
