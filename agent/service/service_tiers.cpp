// Where the flows of a service go: its backends and tables, and what is common to all services.
#include <algorithm>

#include "base/same_bytes.h"
#include "service/compose.h"
#include "service/service_set.h"

namespace flare {
namespace {

/// What publishing a table waits for is shared by so many services.
constexpr std::size_t kPutTogether = 256;

bool contains(const std::vector<flare_prefix>& list, const flare_prefix& prefix) {
  return std::any_of(list.begin(), list.end(),
                     [&prefix](const flare_prefix& one) { return same_bytes(one, prefix); });
}

std::vector<flare_prefix> keys_of(const std::vector<Prefix>& prefixes) {
  std::vector<flare_prefix> keys;
  keys.reserve(prefixes.size());
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
    if (plain_until_ns_ == 0) plain_until_ns_ = now_ns + flow_life_ns(config);
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

Result<void> ServiceSet::put_services(std::span<Managed> services) {
  while (!services.empty()) {
    const std::size_t count = std::min(kPutTogether, services.size());
    auto put = put_together(services.first(count));
    if (!put) return put.error();
    services = services.subspan(count);
  }
  return {};
}

/// A table with slots is there before the service that reads it; an empty one comes after it.
Result<void> ServiceSet::put_together(std::span<Managed> services) {
  std::vector<TierTables> tables;
  tables.reserve(services.size());
  for (Managed& service : services) {
    service.is_put = false;
    auto backends = put_backends(service);
    if (!backends) return backends.error();
    settle_capacity(service);
    tables.push_back(tables_of(service));
  }
  auto filled = put_tables(services, tables, false);
  if (!filled) return filled.error();
  for (Managed& service : services) {
    auto published = publish(service);
    if (!published) return published.error();
  }
  auto emptied = put_tables(services, tables, true);
  if (!emptied) return emptied.error();
  for (Managed& service : services) service.is_put = true;
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
    tables[tier] = compose_table(backends, service.identity.backends[tier], hash_key_, parts,
                                 service.info.table_slots[tier]);
  }
  return tables;
}

/// Those that are empty, or those that are not, where they change.
Result<void> ServiceSet::put_tables(std::span<Managed> services, std::span<const TierTables> tables,
                                    bool empty) {
  std::vector<TableWrite> writes;
  std::vector<std::size_t> owners;
  for (std::size_t i = 0; i < services.size(); ++i) {
    for (const flare_tier tier : kTiers) {
      const std::vector<std::uint32_t>& table = tables[i][tier];
      if (table.empty() != empty || services[i].tables[tier] == table) continue;
      writes.push_back({services[i].identity.id, tier, table});
      owners.push_back(i);
    }
  }
  // Which of them are published is not known where not all are.
  for (std::size_t w = 0; w < writes.size(); ++w) {
    services[owners[w]].tables[writes[w].tier] = std::nullopt;
  }
  auto put = tables_.put_tables(writes);
  if (!put) return put.error();
  for (std::size_t w = 0; w < writes.size(); ++w) {
    const flare_tier tier = writes[w].tier;
    services[owners[w]].tables[tier] = tables[owners[w]][tier];
    if (!empty) {
      services[owners[w]].info.table_slots[tier] =
          static_cast<std::uint32_t>(tables[owners[w]][tier].size());
    }
  }
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
