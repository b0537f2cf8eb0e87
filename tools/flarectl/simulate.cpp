#include "flarectl/simulate.h"

#include <arpa/inet.h>

#include <cstdio>

#include "flarectl/units.h"
#include "kernel/flow_sweep.h"
#include "select.bpf.h"

namespace flare::ctl {
namespace {

std::string shown_hash(std::uint64_t hash) {
  char text[20];
  std::snprintf(text, sizeof(text), "0x%016llx", static_cast<unsigned long long>(hash));
  return text;
}

std::string word(std::string_view text) { return std::string(text); }

/// One walk through the decision. Each step adds a sentence; a step that decides sets the verdict.
class Walk {
 public:
  Walk(const Maps& maps, const SimulatedPacket& packet, std::uint64_t now)
      : maps_(maps), packet_(packet), now_(now) {
    key_.src = packet.source.address.raw;
    key_.dst = packet.destination.address.raw;
    key_.sport = htons(packet.source.port);
    key_.dport = htons(packet.destination.port);
    key_.proto = packet.protocol;
    settings_ = maps.settings.lookup(0).value_or(flare_settings{});
  }

  Result<Simulation> run();

 private:
  void say(const char* step, std::string finding) {
    done_.steps.push_back({step, std::move(finding)});
  }
  void decide(const char* verdict, flare_reason reason) {
    done_.verdict = verdict;
    done_.reason = reason_word(reason);
  }
  std::optional<flare_flow> find_flow(const flare_flow_key& key) const;
  bool is_reply();
  bool follows_known_flow();
  bool is_known_to_vm();
  bool is_over(const flare_flow& flow, const std::optional<flare_flow>& twin) const;
  std::optional<flare_spill_cause> wish();
  Result<void> spill(flare_spill_cause cause);
  std::optional<flare_refusal> forbidden();
  bool prefix_allows() const;
  void refuse(flare_refusal refusal);
  void find_port(const flare_backend& backend, std::uint32_t backend_id);

  const Maps& maps_;
  SimulatedPacket packet_;
  std::uint64_t now_;
  flare_flow_key key_{};
  flare_settings settings_{};
  flare_service service_{};
  flare_admission admission_{};
  Simulation done_;
};

bool Walk::is_over(const flare_flow& flow, const std::optional<flare_flow>& twin) const {
  if (!twin) return true;
  if ((flow.flags | twin->flags) & FLARE_FLOW_RST) return true;
  if (flow.flags & twin->flags & FLARE_FLOW_FIN) return true;
  bool forward = flow.dir == FLARE_DIR_FORWARD;
  return flow_age(forward ? flow : *twin, forward ? &*twin : &flow, settings_).expires_ns < now_;
}

std::optional<flare_flow> Walk::find_flow(const flare_flow_key& key) const {
  auto flow = maps_.flows.lookup(key);
  return flow ? flow : maps_.embryos.lookup(key);
}

/// True where the table of flows decides.
bool Walk::follows_known_flow() {
  auto flow = find_flow(key_);
  if (!flow) {
    say("flow", "no spilled flow has these addresses and ports");
    return false;
  }
  auto backend = maps_.backends.lookup(flow->backend_id);
  bool lost = !backend || backend->generation != flow->backend_generation ||
              backend->state == FLARE_BACKEND_DOWN;
  bool over = key_.proto != PROTO_UDP && is_over(*flow, find_flow(flow->peer));
  if (lost || over) {
    say("flow", lost
                    ? "a spilled flow whose backend is down or gone: a first packet opens a new one"
                    : "a spilled flow with these addresses is at its end: a SYN opens a new one");
    return false;
  }
  done_.backend = endpoint_text(flow->peer.src, flow->peer.sport);
  done_.snat = endpoint_text(flow->peer.dst, flow->peer.dport);
  say("flow", "a known spilled flow (cause " + word(spill_cause_word(flow->cause)) +
                  "): it keeps its backend");
  decide("serverless", FLARE_REASON_SPILL_KNOWN);
  return true;
}

/// True where the packet is one from a backend to a NAT port in use.
bool Walk::is_reply() {
  auto flow = find_flow(key_);
  if (!flow || flow->dir != FLARE_DIR_REVERSE) return false;
  done_.backend = endpoint_text(key_.src, key_.sport);
  done_.snat = endpoint_text(key_.dst, key_.dport);
  say("flow", "a reply of a spilled flow: it goes back to client " +
                  endpoint_text(flow->peer.src, flow->peer.sport));
  decide("serverless", FLARE_REASON_SPILL_REPLY);
  return true;
}

/// True for a datagram of a flow that was left to the VM tier lately; as vm_flow_known(). A TCP SYN
/// is known by its sequence number, which a simulated one does not have.
bool Walk::is_known_to_vm() {
  if (key_.proto != PROTO_UDP) return false;
  auto known = maps_.vm_flows.lookup(static_cast<std::uint32_t>(done_.hash >> 24) &
                                     (FLARE_VM_FLOWS_MAX - 1));
  bool same = known && known->tag == (done_.hash != 0 ? done_.hash : 1);
  if (!same || now_ - known->seen_ns > settings_.udp_replied_ns) return false;
  say("tier", "earlier datagrams of this flow were left to the VM tier");
  decide("vm", FLARE_REASON_VM_KNOWN);
  return true;
}

/// Whether a new flow should spill, and why; as tier_choose().
std::optional<flare_spill_cause> Walk::wish() {
  Heartbeat heartbeat = read_heartbeat(maps_, now_);
  double point =
      static_cast<double>(done_.hash & 0xffffffffULL) / static_cast<double>(FLARE_SHARE_ONE);
  double share = fraction_of(service_.share);
  if (!heartbeat.fresh) {
    say("heartbeat", heartbeat.ever
                         ? "flared's last beat is " + human_time(heartbeat.age_ns) +
                               " old: the share does not hold, the fallback is '" +
                               word(fallback_word(service_.fallback)) + "'"
                         : "flared never beat: the share does not hold, the fallback is '" +
                               word(fallback_word(service_.fallback)) + "'");
    if (service_.fallback == FLARE_FALLBACK_VM) return std::nullopt;
  } else if (share_takes(done_.hash, service_.share)) {
    say("share", "the flow's place " + std::to_string(point) + " is below the share " +
                     std::to_string(share) + ": it should spill");
    return FLARE_SPILL_SHARE;
  } else {
    say("share", "the flow's place " + std::to_string(point) + " is not below the share " +
                     std::to_string(share));
  }
  if (service_.cap != 0) {
    auto in_flight = static_cast<std::int64_t>(admission_.in_flight[FLARE_TIER_VM]);
    bool reached = in_flight >= std::int64_t{service_.cap};
    say("cap", std::to_string(in_flight) + " requests are in flight in the VM tier, the cap is " +
                   std::to_string(service_.cap) + (reached ? ": it should spill" : ""));
    if (reached) return FLARE_SPILL_CAP;
  }
  if (service_.bucket_interval_ns == 0) {
    say("bucket", "there is no limit on the VM tier");
    return std::nullopt;
  }
  bool token = bucket_next(admission_.bucket_time_ns, now_, service_.bucket_interval_ns,
                           service_.bucket_depth_ns) != 0;
  std::uint64_t ahead = admission_.bucket_time_ns > now_ ? admission_.bucket_time_ns - now_ : 0;
  std::uint64_t free = ahead < service_.bucket_depth_ns ? service_.bucket_depth_ns - ahead : 0;
  say("bucket", "the VM tier's bucket has " + human_count(free / service_.bucket_interval_ns) +
                    " of " + human_count(service_.bucket_depth_ns / service_.bucket_interval_ns) +
                    " tokens" + (token ? "" : ": it should spill"));
  if (token) return std::nullopt;
  return FLARE_SPILL_BUCKET;
}

/// Whether the prefix that the packet comes from has a share left.
bool Walk::prefix_allows() const {
  if (service_.prefix_interval_ns == 0) return true;
  flare_flow_key client = key_;
  const std::uint32_t slot = prefix_slot(&service_, &client, packet_.source.address.is_v4());
  return bucket_next(maps_.spill_prefixes.read(slot).time_ns, now_, service_.prefix_interval_ns,
                     service_.prefix_depth_ns) != 0;
}

/// The refusal that forbids one more spilled flow, if any; as spend_permit(). Whether its CPU meets
/// a flood nobody knows.
std::optional<flare_refusal> Walk::forbidden() {
  if (!prefix_allows()) return FLARE_REFUSAL_SPEND_PREFIX;
  if (service_.active_max != 0 && admission_.active >= service_.active_max) {
    return FLARE_REFUSAL_SPEND_ACTIVE;
  }
  bool rate_allows = service_.spend_interval_ns == 0 ||
                     bucket_next(admission_.spend_time_ns, now_, service_.spend_interval_ns,
                                 service_.spend_depth_ns) != 0;
  if (!rate_allows) return FLARE_REFUSAL_SPEND_RATE;
  std::uint64_t peak =
      ramp_peak(admission_.active, admission_.active_peak, admission_.last_spill_ns, now_);
  bool ramp_allows = service_.ramp_interval_ns == 0 || admission_.active < peak ||
                     bucket_next(admission_.ramp_time_ns, now_, service_.ramp_interval_ns,
                                 service_.ramp_depth_ns) != 0;
  if (!ramp_allows) return FLARE_REFUSAL_SPEND_RAMP;
  bool hour_allows = hour_next(admission_.hour, now_ / NSEC_PER_HOUR, service_.hour_budget) != 0;
  if (!hour_allows) return FLARE_REFUSAL_SPEND_HOUR;
  return std::nullopt;
}

void Walk::refuse(flare_refusal refusal) {
  say("spend", "it may not spill: " + word(refusal_word(refusal)) + "; the service's answer is '" +
                   word(overload_word(service_.overload)) + "'");
  if (service_.overload == FLARE_OVERLOAD_REJECT) {
    decide("reject", FLARE_REASON_OVERLOAD_REJECT);
  } else if (service_.overload == FLARE_OVERLOAD_DROP) {
    decide("drop", FLARE_REASON_OVERLOAD_DROP);
  } else {
    decide("vm", FLARE_REASON_VM_OVERLOAD);
  }
}

/// The first probe whose port nobody holds; as flow_create().
void Walk::find_port(const flare_backend& backend, std::uint32_t backend_id) {
  flare_flow_key reverse{};
  reverse.src = backend.addr;
  reverse.sport = backend.port;
  reverse.dst = service_.snat[static_cast<std::uint32_t>(done_.hash) % service_.snat_count];
  reverse.proto = key_.proto;
  done_.backend = endpoint_text(backend.addr, backend.port);
  for (std::uint32_t probe = 0; probe < FLARE_PORT_PROBES; ++probe) {
    reverse.dport =
        htons(nat_port(done_.hash, probe, settings_.nat_port_min, settings_.nat_port_max));
    auto holder = maps_.flows.lookup(reverse);
    bool taken = maps_.embryos.lookup(reverse).has_value();
    if (holder && !taken) {
      auto twin = maps_.flows.lookup(holder->peer);
      if (twin) {
        const FlowAge age = flow_age(*twin, &*holder, settings_);
        const std::uint64_t silence_ns = now_ > age.used_ns ? now_ - age.used_ns : 0;
        taken = age.expires_ns >= now_ &&
                port_yields(probe, twin->flags, holder->flags, silence_ns) == 0;
      }
    }
    if (taken) continue;
    done_.snat = endpoint_text(reverse.dst, reverse.dport);
    say("port", "port " + std::to_string(ntohs(reverse.dport)) + " is free at try " +
                    std::to_string(probe + 1) + " of " + std::to_string(FLARE_PORT_PROBES));
    say("backend", "it goes to backend " + std::to_string(backend_id) + ", " + done_.backend +
                       ", as " + done_.snat);
    decide("serverless", FLARE_REASON_SPILL_NEW);
    return;
  }
  refuse(FLARE_REFUSAL_NO_PORT);
}

Result<void> Walk::spill(flare_spill_cause cause) {
  if (service_.policy == FLARE_POLICY_OBSERVE) {
    say("policy", "the policy only observes: counted as " + word(spill_cause_word(cause)) +
                      ", and left to the VM tier");
    decide("vm", FLARE_REASON_VM_OBSERVED);
    return {};
  }
  std::uint32_t backend_id = 0;
  if (service_.snat_count != 0) {
    auto slots = maps_.tables.read(service_.id, FLARE_TIER_SERVERLESS);
    if (!slots) return slots.error();
    if (!slots->empty()) {
      std::uint32_t slot = slot_of(done_.hash, static_cast<__u32>(slots->size()));
      backend_id = (*slots)[slot];
      say("table", "slot " + human_count(slot) + " of " + human_count(slots->size()) +
                       " holds backend " + std::to_string(backend_id));
    }
  }
  auto backend = maps_.backends.lookup(backend_id);
  if (backend_id == 0 || !backend || backend->state == FLARE_BACKEND_DOWN) {
    refuse(FLARE_REFUSAL_NO_BACKEND);
    return {};
  }
  if (auto refusal = forbidden()) {
    refuse(*refusal);
    return {};
  }
  say("spend", "it may spill: " + human_count(hour_used(admission_, now_)) + " of " +
                   human_count(service_.hour_budget) + " spilled this hour, " +
                   human_count(admission_.active) + " active");
  find_port(*backend, backend_id);
  return {};
}

Result<Simulation> Walk::run() {
  if (is_reply()) return done_;
  flare_service_key frontend{packet_.destination.address.raw, htons(packet_.destination.port),
                             packet_.protocol, 0};
  auto service = maps_.services.lookup(frontend);
  if (!service || service->id >= maps_.services_max()) {
    say("service", packet_.destination.text() + " is no frontend for " +
                       protocol_text(packet_.protocol) + ": the packet passes untouched");
    decide("pass", FLARE_REASON_NOT_SERVICE);
    return done_;
  }
  service_ = *service;
  admission_ = maps_.admission.read(service_.id);
  if (auto info = maps_.service_info.lookup(service_.id)) {
    done_.service = std::string(info->name, ::strnlen(info->name, sizeof(info->name)));
  }
  say("service",
      packet_.destination.text() + " is the frontend of service '" + done_.service + "'");
  if (service_.placement != FLARE_PLACEMENT_RECEIVER) {
    say("placement", "its placement is " + word(placement_word(service_.placement)) +
                         ": only what a receiver decides can be simulated");
    done_.verdict = "unknown";
    return done_;
  }
  if (follows_known_flow()) return done_;
  done_.hash = flow_hash(&key_, service_.hash_key);
  say("hash", "the flow's keyed hash is " + shown_hash(done_.hash));
  if (is_known_to_vm()) return done_;
  auto cause = wish();
  if (!cause) {
    say("tier", "it stays with the VM tier");
    decide("vm", FLARE_REASON_VM_NEW);
    return done_;
  }
  auto spilled = spill(*cause);
  if (!spilled) return spilled.error();
  return done_;
}

}  // namespace

Result<Simulation> simulate(const Maps& maps, const SimulatedPacket& packet, std::uint64_t now) {
  return Walk(maps, packet, now).run();
}

}  // namespace flare::ctl
