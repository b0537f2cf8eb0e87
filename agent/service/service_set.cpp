#include "service/service_set.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/clock.h"
#include "base/same_bytes.h"
#include "control/cap.h"
#include "control/formula.h"
#include "model/words.h"
#include "service/compose.h"

namespace flare {
namespace {

/// Where flows that were translated to the VM tier may be alive, of services that go.
class VmBackends {
 public:
  explicit VmBackends(const Known& known) {
    for (std::uint32_t id = 1; id < known.backends.size(); ++id) {
      const flare_backend& backend = known.backends[id];
      if (backend.port == 0 || backend.tier != FLARE_TIER_VM) continue;
      by_service_[backend.service_id].push_back({id, backend.generation, false});
    }
  }

  /// nullopt where they went before.
  std::optional<std::vector<BackendIdentity>> of(const flare_service& service) const {
    const auto found = by_service_.find(service.id);
    if (found != by_service_.end()) return found->second;
    if (service.placement != FLARE_PLACEMENT_RECEIVER) return std::nullopt;
    return std::vector<BackendIdentity>{};
  }

 private:
  std::unordered_map<std::uint32_t, std::vector<BackendIdentity>> by_service_;
};

/// `file` with what was told, of which it drops what has no meaning any more.
Config overlaid(const Config& file, SavedState& state, std::vector<std::string>& left_out) {
  Config config = file;
  if (state.told.empty()) return config;
  const OwnAddresses own(file);
  for (ServiceConfig& service : config.services) {
    const auto told = state.told.find(service.name);
    if (told == state.told.end()) continue;
    told->second = pruned(std::move(told->second), service);
    Overlaid result = with_told(service, told->second, own);
    service = std::move(result.service);
    left_out.insert(left_out.end(), result.left_out.begin(), result.left_out.end());
  }
  return config;
}

/// Connections a second in the unit of the maps.
std::uint64_t to_mcps(double per_second) {
  return static_cast<std::uint64_t>(std::llround(per_second * 1000));
}

}  // namespace

ServiceSet::ServiceSet(Tables& tables, Logger& log, const HashKey& hash_key)
    : tables_(tables), log_(log), hash_key_(hash_key) {}

Result<void> ServiceSet::apply(const Config& config, SavedState state, std::uint64_t now_ns) {
  const SavedState state_before = std::exchange(state_, std::move(state));
  const std::uint64_t beat_ns = tables_.last_beat_ns();
  const std::uint64_t bound = to_ns(config.agent.heartbeat_bound);
  shares_are_tended_ = started_ || (beat_ns != 0 && now_ns - beat_ns <= bound);

  std::vector<std::string> left_out;
  Config in_force = overlaid(config, state_, left_out);
  auto brought = bring(in_force, now_ns);
  if (brought) {
    file_ = config;
    config_ = std::move(in_force);
    started_ = true;
    for (const std::string& one : left_out) {
      log_.warn("what a control plane told does not fit the configuration reason=\"{}\"", one);
    }
    return {};
  }
  state_ = state_before;
  if (!started_) return brought.error();
  // Some tables may be the new ones by now.
  for (Managed& service : services_) {
    service.tables = {};
    service.is_put = false;
  }
  auto undone = bring(config_, now_ns);
  if (undone) return Error(brought.error().message() + "; the configuration before is in force");
  return Error(brought.error().message() + "; and going back failed: " + undone.error().message());
}

/// Order: what is referred to is there before what refers to it, and goes after it.
Result<void> ServiceSet::bring(const Config& config, std::uint64_t now_ns) {
  auto known = read_known(tables_);
  if (!known) return known.error();
  auto identities = assign_identities(config, *known);
  if (!identities) return identities.error();
  auto settings = put_settings(config, now_ns);
  if (!settings) return settings.error();
  auto sources = add_chain_sources(config);
  if (!sources) return sources.error();

  const KnownServices standing(*known);
  std::vector<Managed> next;
  std::vector<std::uint32_t> fresh;
  next.reserve(config.services.size());
  for (std::size_t i = 0; i < config.services.size(); ++i) {
    next.push_back(prepare(config.services[i], (*identities)[i], *known, standing, now_ns));
    if (next.back().identity.fresh) fresh.push_back(next.back().identity.id);
  }
  tables_.clear_services(fresh);
  auto put = put_services(next);
  if (!put) return put.error();
  auto dropped = drop_chain_sources(config);
  if (!dropped) return dropped.error();
  auto retired = retire(*known, next, now_ns);
  if (!retired) return retired.error();
  auto cleared = clear_unused(*known, next);
  if (!cleared) return cleared.error();
  manage(std::move(next));
  return {};
}

void ServiceSet::manage(std::vector<Managed> services) {
  services_ = std::move(services);
  by_name_.clear();
  for (std::size_t i = 0; i < services_.size(); ++i) by_name_[services_[i].config.name] = i;
}

const ServiceSet::Managed* ServiceSet::running(std::uint32_t id, std::string_view name) const {
  const auto found = by_name_.find(std::string(name));
  if (found == by_name_.end()) return nullptr;
  const Managed& service = services_[found->second];
  return service.identity.id == id ? &service : nullptr;
}

ServiceSet::Managed ServiceSet::prepare(const ServiceConfig& config,
                                        const ServiceIdentity& identity, const Known& known,
                                        const KnownServices& standing, std::uint64_t now_ns) const {
  const flare_service_info& old = known.infos[identity.id];
  Managed service;
  if (const Managed* same = running(identity.id, config.name)) {
    service = *same;
  } else if (!identity.fresh && shares_are_tended_) {
    service.wanted_share = old.wanted_share;
    if (old.spilling_since_ns != 0 && old.spilling_since_ns <= now_ns) {
      service.spills.resume(old.spilling_since_ns);
    }
  }
  service.config = config;
  service.identity = identity;
  service.key = key_of(config);
  service.wanted_share = std::max(service.wanted_share, share_from_fraction(config.min_share));
  const flare_service* here = standing.at(service.key);
  const flare_service* elsewhere = identity.fresh ? nullptr : standing.of(identity.id);
  service.in_maps = here != nullptr;
  service.value = here != nullptr ? *here : elsewhere != nullptr ? *elsewhere : flare_service{};
  service.steering = service.value.steering;
  service.steered_share = service.value.share;

  service.info = compose_info(config);
  service.info.spilling_since_ns = service.spills.since_ns();
  adopt_learned(service, old, now_ns);
  service.info.reported_ns = service.reported.at_ns();
  if (!identity.fresh) {
    service.info.pinned = old.pinned;
    std::copy(std::begin(old.table_slots), std::end(old.table_slots), service.info.table_slots);
    service.info.sampled_ns = old.sampled_ns;
    service.info.arrivals_mrps = old.arrivals_mrps;
    service.info.vm_mrps = old.vm_mrps;
    service.info.serverless_mrps = old.serverless_mrps;
  }
  if (running(identity.id, config.name) == nullptr) resume_health(service, known);
  service.control.believe(capacity_at_start(service, old));
  service.info.capacity_mrps = service.control.capacity_mrps();
  service.told = told_to(service);
  return service;
}

Steering ServiceSet::steering_of(const Managed& service) const {
  const ServiceConfig& config = service.config;
  const auto pin = pin_of(config.name);
  const double capacity_rps = static_cast<double>(service.control.capacity_mrps()) / 1000;
  const bool cap = config.policy == FLARE_POLICY_CAP;
  Steering steering;
  steering.share = applied_share(config, pin, service.wanted_share);
  steering.enforced = pin || config.policy != FLARE_POLICY_OBSERVE;
  steering.bucket_rps = cap ? capacity_rps * kBucketHeadroom : capacity_rps;
  if (learns_workers(config)) {
    steering.workers = service.control.limiter().workers();
    steering.cap = service.control.limiter().cap();
  } else {
    steering.workers = service.told.workers;
    steering.cap = config.policy == FLARE_POLICY_FORMULA ? 0 : cap_of(service.told.workers);
  }
  steering.moves = service.moves;
  steering.number = service.steering;
  return steering;
}

/// Writes the service where anything but its epoch would change.
Result<void> ServiceSet::publish(Managed& service) {
  const Steering steering = steering_of(service);
  flare_service wanted = compose_service(service.config, service.identity.id, hash_key_, steering);
  wanted.epoch = service.value.epoch;
  if (!service.in_maps || !same_bytes(wanted, service.value)) {
    ++wanted.epoch;
    auto put = tables_.put_service(service.key, wanted);
    if (!put) return put.error().within("service '" + service.config.name + "'");
    service.value = wanted;
    service.in_maps = true;
  }
  service.info.epoch = service.value.epoch;
  service.info.wanted_share = service.wanted_share;
  service.info.applied_share = steering.share;
  service.info.share_pinned = pin_of(service.config.name) ? 1 : 0;
  service.info.base_ns = service.control.limiter().base_ns();
  service.info.move_rate_mcps[FLARE_TIER_VM] = to_mcps(steering.moves.vm);
  service.info.move_rate_mcps[FLARE_TIER_SERVERLESS] = to_mcps(steering.moves.serverless);
  service.info.workers_learned = service.control.limiter().workers() > 0 ? 1 : 0;
  return tables_.put_info(service.identity.id, service.info);
}

Result<void> ServiceSet::retire(const Known& known, const std::vector<Managed>& kept,
                                std::uint64_t now_ns) {
  std::set<flare_service_key, ServiceKeyLess> kept_keys;
  std::set<std::uint32_t> kept_ids;
  for (const Managed& service : kept) {
    kept_keys.insert(service.key);
    kept_ids.insert(service.identity.id);
  }
  const auto is_kept = [&](const flare_service_key& key) { return kept_keys.contains(key); };
  std::erase_if(retired_, [&](const Retired& one) { return is_kept(one.key); });
  std::set<flare_service_key, ServiceKeyLess> listed;
  for (const Retired& one : retired_) listed.insert(one.key);
  const VmBackends backends(known);
  std::vector<TableWrite> withdrawn;
  for (const auto& [key, value] : known.services) {
    if (is_kept(key)) continue;
    flare_service rest = compose_retired(value);
    if (!same_bytes(rest, value)) {
      ++rest.epoch;
      auto put = tables_.put_service(key, rest);
      if (!put) return put.error().within("retired service");
    }
    if (listed.contains(key)) continue;
    retired_.push_back({key, value.id, now_ns, backends.of(value)});
    // One that is kept is under another frontend now, with tables of its own.
    if (kept_ids.contains(value.id)) continue;
    for (const flare_tier tier : kTiers) withdrawn.push_back({value.id, tier, {}});
  }
  auto put = tables_.put_tables(withdrawn);
  if (!put) return put.error().within("tables of retired services");
  return {};
}

/// Empties what no service of `kept` has: names, and backends but for their generation.
Result<void> ServiceSet::clear_unused(const Known& known, const std::vector<Managed>& kept) {
  std::vector<bool> service_used(known.infos.size());
  std::vector<bool> backend_used(known.backends.size());
  for (const Managed& service : kept) {
    service_used[service.identity.id] = true;
    for (const auto& backends : service.identity.backends) {
      for (const BackendIdentity& backend : backends) backend_used[backend.id] = true;
    }
  }
  for (std::uint32_t id = 0; id < known.infos.size(); ++id) {
    if (service_used[id] || known.infos[id].name[0] == '\0') continue;
    auto cleared = tables_.put_info(id, {});
    if (!cleared) return cleared.error();
  }
  for (std::uint32_t id = 1; id < known.backends.size(); ++id) {
    const flare_backend rest = compose_gone(known.backends[id]);
    if (backend_used[id] || same_bytes(rest, known.backends[id])) continue;
    auto cleared = tables_.put_backend(id, rest);
    if (!cleared) return cleared.error();
  }
  return {};
}

Result<void> ServiceSet::tick(std::uint64_t now_ns, std::uint64_t slack_ns) {
  std::optional<Error> first;
  for (Managed& service : services_) {
    tend_report(service, now_ns);
    if (!service.control.is_due(service.config, now_ns, slack_ns)) continue;
    auto steered = steer(service, now_ns);
    if (!steered && !first) first = steered.error();
  }
  auto buried = bury(now_ns);
  if (!buried && !first) first = buried.error();
  auto ended = end_plain_replies(now_ns);
  if (!ended && !first) first = ended.error();
  if (first) return *first;
  tables_.beat(now_ns);
  return {};
}

ServiceSample ServiceSet::sample(const Managed& service, std::uint64_t now_ns) const {
  ServiceSample now;
  now.totals = tables_.counters(service.identity.id);
  if (learns_workers(service.config)) {
    const RequestTimes times = tables_.vm_times(service.identity.id);
    now.timed = times.count;
    now.time_ns = times.sum_ns;
  }
  now.reported_mrps = service.reported.mrps(now_ns);
  return now;
}

/// Says once that there is a cap now, and behind which figures.
void ServiceSet::tell_learned(const Managed& service) const {
  const Limiter& limiter = service.control.limiter();
  if (limiter.workers() == 0 || service.info.workers_learned != 0) return;
  log_.info("learned the VM tier's workers service={} workers={} cap={} base_ms={:.1f}",
            service.config.name, limiter.workers(), limiter.cap(),
            static_cast<double>(limiter.base_ns()) / 1e6);
}

Result<void> ServiceSet::steer(Managed& service, std::uint64_t now_ns) {
  const auto outcome = service.control.step(service.config, sample(service, now_ns), now_ns);
  if (!outcome) return {};
  tell_learned(service);
  service.wanted_share = outcome->wanted_share;
  const std::uint64_t share =
      applied_share(service.config, pin_of(service.config.name), service.wanted_share);
  auto turn = service.spills.step(service.config, *outcome, share, now_ns);
  note_steering(service, share, turn.has_value());
  if (turn) {
    log_.info(turn->line);
    turn->event.service_id = service.identity.id;
    const flare_admission admission = tables_.admission(service.identity.id);
    const bool reported = service.config.counting == FLARE_COUNTING_REPORTED;
    turn->event.in_flight = reported ? admission.reported : admission.in_flight[FLARE_TIER_VM];
    auto told = tables_.add_spill_event(turn->event);
    if (!told) return told.error();
  }
  service.info.sampled_ns = now_ns;
  service.info.capacity_mrps = outcome->capacity_mrps;
  service.info.arrivals_mrps = outcome->arrivals_mrps;
  service.info.vm_mrps = outcome->vm_mrps;
  service.info.serverless_mrps = outcome->serverless_mrps;
  service.info.pinned = outcome->pinned;
  service.info.spilling_since_ns = service.spills.since_ns();
  return publish(service);
}

/// Whether the flows of a removed service have ended, or cannot be alive any more. Spilled ones are
/// counted together, those that were translated to the VM tier at their backends.
bool ServiceSet::is_over(const Retired& one, std::uint64_t now_ns) const {
  const std::uint64_t age = now_ns - one.since_ns;
  if (age > flow_life_ns(config_)) return true;
  if (age <= to_ns(config_.timeouts.tcp_handshake) || !one.vm) return false;
  return tables_.admission(one.id).active == 0 &&
         std::all_of(one.vm->begin(), one.vm->end(), [this](const BackendIdentity& backend) {
           return tables_.backend(backend.id).generation == backend.generation &&
                  tables_.backend_load(backend.id).active == 0;
         });
}

/// Erases retired services whose flows have ended.
Result<void> ServiceSet::bury(std::uint64_t now_ns) {
  for (std::size_t i = 0; i < retired_.size();) {
    const Retired& one = retired_[i];
    if (!is_over(one, now_ns)) {
      ++i;
      continue;
    }
    auto erased = tables_.erase_service(one.key);
    if (!erased) return erased.error();
    log_.info("the flows of a removed service have ended id={} seconds={}", one.id,
              (now_ns - one.since_ns) / 1'000'000'000);
    retired_.erase(retired_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return {};
}

Result<ShareChange> ServiceSet::pin(std::string_view name, std::optional<double> share) {
  auto service = find(name);
  if (!service) return service.error();
  const SavedState before = state_;
  ShareChange change;
  change.before = share_to_fraction((*service)->value.share);
  if (share) {
    state_.pinned_shares[(*service)->config.name] = *share;
  } else {
    state_.pinned_shares.erase((*service)->config.name);
  }
  auto published = publish(**service);
  if (!published) {
    state_ = before;
    return published.error();
  }
  change.after = share_to_fraction((*service)->value.share);
  change.overrides_observe = share && (*service)->config.policy == FLARE_POLICY_OBSERVE;
  return change;
}

Result<std::pair<std::string, std::string>> ServiceSet::drain(
    std::string_view name, const Endpoint& backend, bool drained,
    std::optional<std::uint64_t> generation) {
  auto found = find(name);
  if (!found) return found.error();
  Managed& service = **found;
  ToldService told = told_of(service.config.name);
  auto next = next_generation(service.config.name, told.generation, generation, false);
  if (!next) return next.error();
  told.generation = *next;
  std::string known;
  std::optional<std::uint32_t> id;
  for (const flare_tier tier : kTiers) {
    const auto& list = service.config.backends(tier);
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (list[i].endpoint == backend) id = service.identity.backends[tier][i].id;
      known += (known.empty() ? "" : ", ") + list[i].endpoint.text();
    }
  }
  if (!id) {
    return Error("service '" + service.config.name + "' has no backend " + backend.text() +
                 "; it has: " + (known.empty() ? "none" : known));
  }
  const SavedState before = state_;
  const std::string state_before(backend_state_word(tables_.backend(*id).state));
  auto& set = state_.drained[service.config.name];
  if (drained) {
    set.insert(backend);
  } else {
    set.erase(backend);
  }
  if (set.empty()) state_.drained.erase(service.config.name);
  keep_told(service.config.name, std::move(told));

  auto put = put_service(service);
  if (!put) {
    state_ = before;
    return put.error();
  }
  return std::pair(state_before, std::string(backend_state_word(tables_.backend(*id).state)));
}

Result<ServiceSet::Managed*> ServiceSet::find(std::string_view name) {
  auto found = std::as_const(*this).find(name);
  if (!found) return found.error();
  return &services_[index_of(**found)];
}

Result<const ServiceSet::Managed*> ServiceSet::find(std::string_view name) const {
  const auto found = by_name_.find(std::string(name));
  if (found != by_name_.end()) return &services_[found->second];
  std::string known;
  for (const Managed& service : services_) {
    known += (known.empty() ? "" : ", ") + service.config.name;
  }
  return Error("there is no service '" + std::string(name) +
               "'; there is: " + (known.empty() ? "none" : known));
}

std::optional<double> ServiceSet::pin_of(const std::string& service) const {
  const auto found = state_.pinned_shares.find(service);
  if (found == state_.pinned_shares.end()) return std::nullopt;
  return found->second;
}

bool ServiceSet::is_drained(const std::string& service, const Endpoint& backend) const {
  const auto found = state_.drained.find(service);
  return found != state_.drained.end() && found->second.contains(backend);
}

}  // namespace flare
