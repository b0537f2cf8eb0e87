// The health of one tier of a service: its backends against each other, and how many may be
// ejected. No clock, no socket, no map.
//
// At most eject_max of a tier's backends, rounded down, are ejected or on trial at a time, but one
// at least where there are two and eject_max is not 0 (as Envoy's max_ejection_percent); never the
// last that is up. So a fault of ours, or of the network, that looks like one of the backends costs
// a bounded part of the tier. Where checks take the last one that is up, the ejected ones are on
// trial at once.
//
// A slow backend is known by the others: for 3 s it had, on average of each second, over 4 times
// the median of requests in flight for its weight, over 4 times the median time of a request
// (requests in flight divided by answers a second, Little's law), and at least 8 in flight. Both,
// as connections that carry much load may gather at one backend and are served as fast there. Three
// backends at least, as of two nobody knows which one is right.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "health/backend_health.h"
#include "health/passive_watch.h"
#include "health/verdict.h"
#include "model/config.h"

namespace flare {

/// A backend of a tier.
struct TierMember {
  Endpoint endpoint;
  std::uint32_t id = 0;          ///< where its counters are
  std::uint32_t generation = 0;  ///< of the id
  std::uint32_t weight = 1;
  bool takes_flows = true;  ///< active, by configuration and by hand, and its weight is not 0
  BackendHealth::Start start = BackendHealth::Start::kUnknown;  ///< where it is new to the tier
};

/// A phase that began, for the log.
struct HealthChange {
  Endpoint endpoint;
  HealthPhase before = HealthPhase::kUp;
  BackendVerdict verdict;
};

class TierHealth {
 public:
  /// Members that stay (endpoint, id and generation) keep their health.
  void configure(const HealthConfig& health, Protocol protocol,
                 const std::vector<TierMember>& members, std::uint64_t now_ns);

  std::size_t size() const { return members_.size(); }
  const TierMember& member(std::size_t at) const { return members_[at].config; }
  BackendVerdict verdict(std::size_t at, std::uint64_t now_ns) const;
  /// Signals that would have ejected a member, had it been allowed: what they are, or "".
  const std::string& held(std::size_t at) const { return members_[at].held; }

  void checked(std::size_t at, bool passed, const std::string& why, std::uint64_t now_ns);
  /// Takes the counters of every member, in order, and ejects, tries and lets back in.
  void sample(std::span<const BackendSample> samples, SlowestNs slowest_ns, std::uint64_t now_ns);

  /// The changes since the last call, oldest first.
  std::vector<HealthChange> take_changes();

 private:
  struct Member {
    TierMember config;
    BackendHealth health{BackendHealth::Start::kUnknown};
    PassiveWatch watch;
    std::uint64_t slow_since_ns = 0;  ///< 0: it is not
    PassiveKind ejected_for = PassiveKind::kRefused;
    std::string held;
  };
  /// What the members that are up have and take, sorted: the medians come from here.
  struct Pace {
    std::vector<double> in_flight;  ///< for a weight of 1
    std::vector<double> request_ns;
  };

  void changed(Member& member, HealthPhase before, std::uint64_t now_ns);
  void judge_trials(SlowestNs slowest_ns, std::uint64_t now_ns);
  void judge_up(SlowestNs slowest_ns, std::uint64_t now_ns);
  void keep_one(std::uint64_t now_ns);
  Pace pace() const;
  std::optional<PassiveSignal> slow(Member& member, const Pace& pace, std::uint64_t now_ns) const;
  std::optional<PassiveSignal> slow_in_trial(const Member& member, const Pace& pace) const;
  bool has_company(const Member& one) const;
  std::string why_not_ejected() const;
  void eject(Member& member, const PassiveSignal& signal, std::uint64_t now_ns);

  HealthConfig health_;
  Protocol protocol_ = Protocol::kTcp;
  std::vector<Member> members_;
  std::vector<HealthChange> changes_;
};

}  // namespace flare
