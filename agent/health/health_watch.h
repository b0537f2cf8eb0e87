// The health of all backends: checks and counters in, verdicts out.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "health/checker.h"
#include "health/tier_health.h"
#include "loop/event_loop.h"
#include "loop/timer.h"

namespace flare {

/// What the datapath says of backends.
class HealthSource {
 public:
  virtual ~HealthSource() = default;
  virtual BackendSample sample(std::uint32_t backend_id) const = 0;
  virtual SlowestNs slowest_ns(std::uint32_t service_id, flare_tier tier) const = 0;
};

/// Who acts on verdicts.
class HealthSink {
 public:
  using Verdicts = std::map<Endpoint, BackendVerdict>;
  virtual ~HealthSink() = default;
  /// Replaces what is thought of a tier's backends. Those that are missing are up, at full weight.
  virtual Result<void> set_health(const std::string& service, flare_tier tier,
                                  const Verdicts& verdicts) = 0;
};

/// A tier of a service to be watched.
struct WatchedTier {
  std::string service;
  std::uint32_t service_id = 0;
  flare_tier tier = FLARE_TIER_VM;
  Protocol protocol = Protocol::kTcp;
  HealthConfig health;
  struct Member {
    TierMember tier;
    bool checked = true;  ///< not one that the configuration has down
  };
  std::vector<Member> members;
};

/// A backend as it is told to a person. `last_check` is empty where none was made.
struct HealthView {
  std::string service;
  flare_tier tier = FLARE_TIER_VM;
  Endpoint backend;
  BackendVerdict verdict;
  std::string held;  ///< passive signals that were not acted on, and why not
  std::string last_check;
  std::uint64_t last_check_ns = 0;
};

class HealthWatch {
 public:
  struct Parts {
    EventLoop& loop;
    const Clock& clock;
    Logger& log;
    const HealthSource& source;
    HealthSink& sink;
  };

  /// `parts` outlive the watch. `seed` is of the checks' jitter.
  static Result<std::unique_ptr<HealthWatch>> make(const Parts& parts, const CheckerLimits& limits,
                                                   std::uint64_t seed);
  HealthWatch(const HealthWatch&) = delete;
  HealthWatch& operator=(const HealthWatch&) = delete;

  /// Watches `tiers` from now on. Backends that stay keep their health. Their verdicts are told to
  /// the sink before this returns.
  Result<void> configure(const std::vector<WatchedTier>& tiers);

  /// Every backend of `service`, or of all services where it is empty.
  std::vector<HealthView> view(const std::string& service) const;

  /// What the timer does, ten times a second: for tests, which have a clock of their own.
  void step();
  /// What a check's result does.
  void checked(std::uint64_t key, const CheckResult& result);

 private:
  using Name = std::pair<std::string, flare_tier>;
  struct MemberState {
    std::uint64_t key = 0;  ///< of the checker
    std::string last_check;
    std::uint64_t last_check_ns = 0;
  };
  struct Tier {
    WatchedTier config;
    TierHealth health;
    std::vector<MemberState> members;  ///< as health's
    std::uint64_t sampled_ns = 0;
    SlowestNs slowest_ns;
    std::uint64_t slowest_at_ns = 0;
    bool dirty = true;  ///< a phase has changed since it was told
    HealthSink::Verdicts told;
    std::uint64_t weights_told_ns = 0;
  };
  struct Place {
    Name tier;
    std::size_t member = 0;
  };

  explicit HealthWatch(const Parts& parts) : parts_(parts) {}
  void configure_tier(const WatchedTier& config, Tier& tier, std::uint64_t now_ns);
  void sample_some(std::uint64_t now_ns);
  void sample(Tier& tier, std::uint64_t now_ns);
  void note_changes(Tier& tier);
  void log_change(const Tier& tier, const HealthChange& change);
  void publish_due(std::uint64_t now_ns);
  Result<void> publish(Tier& tier, std::uint64_t now_ns);
  void tell_lateness();

  Parts parts_;
  std::unique_ptr<Checker> checker_;
  std::unique_ptr<Timer> timer_;
  std::map<Name, Tier> tiers_;
  Name sampled_last_;                                ///< the round goes on behind it
  std::unordered_map<std::uint64_t, Place> places_;  ///< by key of the checker
  std::uint64_t keys_ = 0;                           ///< given so far
  std::size_t lines_ = 0;                            ///< logged in this step
  std::size_t lines_left_out_ = 0;
  bool publish_failed_ = false;
  bool is_late_ = false;  ///< as was told in the log
};

}  // namespace flare
