// How many requests a tier can have in flight, found from what its requests take. Workers need not
// be told. No clock, no map.
//
// Three things are known of a tier in which requests wait for workers:
//   * Little's law: requests in flight = answers a second x the time of one.
//   * Where some wait, all workers are busy, so workers = answers a second x the time of a request
//     that waits for nobody, the base. This is the bandwidth-delay product of BBR (Cardwell et al.,
//     "BBR: Congestion-Based Congestion Control", 2016), and the base its min_rtt: the lowest mean
//     of a minute.
//   * The gradient, time / base, says whether they wait, as in Netflix's concurrency-limits.
// The cap is 1.5 x workers: a request waits for half a service time at most (see cap.h). Where it
// binds, 1.5 x answers x base is cap x 1.5 / gradient, so that it grows until requests wait and
// falls where they wait too long.
//
// Waiting and machines that became slower look the same. The cap that is lowered tells them apart:
// a probe holds it below the workers for two seconds, and what requests take then is the base.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

namespace flare {

/// What one interval saw of the VM tier.
struct LimiterInput {
  std::uint64_t elapsed_ns = 0;
  std::uint64_t answers = 0;  ///< requests answered
  std::uint64_t timed = 0;    ///< of these, those whose time is in `time_ns`
  std::uint64_t time_ns = 0;  ///< what they took, added up
  bool bound = false;         ///< the cap sent flows away, or would have
  bool enforced = true;       ///< false: nothing is sent away, whatever the cap is
};

/// The lowest value of the last minute, in steps of ten seconds.
class LowestOfAMinute {
 public:
  void add(std::uint64_t at_ns, double value);
  /// As it will be at `at_ns` with nothing added; nothing where all is older than a minute.
  std::optional<double> lowest(std::uint64_t at_ns) const;
  void clear() { buckets_ = {}; }

 private:
  struct Bucket {
    std::uint64_t number = 0;  ///< of ten seconds, from 1 on; 0: empty
    double lowest = 0;
  };
  std::array<Bucket, 6> buckets_{};
};

class Limiter {
 public:
  /// Goes on with what an earlier one found.
  void resume(std::uint32_t workers, std::uint64_t base_ns);

  void step(const LimiterInput& input);

  /// Requests in flight at which new flows spill, now; 0: not known yet, no cap.
  std::uint32_t cap() const;
  /// Requests that the tier works on at once, as far as it was seen; 0: not known yet.
  std::uint32_t workers() const;
  /// What a request takes that waits for nobody; 0: not known yet.
  std::uint64_t base_ns() const { return static_cast<std::uint64_t>(base_ns_); }
  /// Requests waited for a worker in the last sample.
  bool saturated() const { return saturated_; }
  bool probing() const { return probe_.has_value(); }

 private:
  /// Intervals until enough requests were answered to tell anything.
  struct Sample {
    double answers_per_ns = 0;
    double mean_ns = 0;
    bool bound = false;
    double in_flight() const { return answers_per_ns * mean_ns; }
  };
  struct Probe {
    double cap = 0;
    double answers_per_ns = 0;  ///< before it began
    std::uint64_t drained_at_ns = 0;
    std::uint64_t ends_at_ns = 0;  ///< at the latest
  };

  std::optional<Sample> take_sample(std::uint64_t least_ns, std::uint64_t enough_ns);
  void learn(const Sample& sample, bool enforced);
  void begin(const Sample& sample);
  bool base_is_known(const Sample& sample, bool enforced);
  void steer(const Sample& sample, bool enforced);
  void lower(const Sample& sample, bool enforced);
  void start_probe(double answers_per_ns, double mean_ns);
  void follow_probe();
  void end_probe(bool base_is_proven);

  std::uint64_t at_ns_ = 0;
  LimiterInput chunk_;
  LowestOfAMinute means_;
  std::uint32_t samples_ = 0;  ///< before the first cap
  double busiest_ = 0;         ///< of them, requests in flight
  double base_ns_ = 0;
  double cap_ = 0;
  double proven_cap_ = 0;  ///< the highest since a probe; 0: the base was never probed
  std::uint64_t no_probe_before_ns_ = 0;
  std::optional<Probe> probe_;
  bool saturated_ = false;
};

}  // namespace flare
