#include "control/limiter.h"

#include <algorithm>
#include <cmath>

namespace flare {
namespace {

constexpr std::uint64_t kSecondNs = 1'000'000'000;
constexpr std::uint64_t kBucketNs = 10 * kSecondNs;
constexpr std::uint64_t kMinuteNs = 60 * kSecondNs;

/// Cap over workers.
constexpr double kTolerance = 1.5;
/// Below this gradient nobody waits to speak of.
constexpr double kCalm = 1.25;
/// A base that rises by less is noise, or drift.
constexpr double kBaseRise = 1.1;
/// Of the workers that are believed in, what a probe keeps busy.
constexpr double kProbeWorkers = 0.75;

/// The lowest of many means lies below the true one, by less where each is of many requests.
constexpr std::uint64_t kAnswersWanted = 100;
constexpr std::uint64_t kAnswersLeast = 20;
/// A second, as timers keep it.
constexpr std::uint64_t kSampleNs = 750'000'000;
constexpr std::uint64_t kSlowSampleNs = 20 * kSecondNs;
constexpr std::uint64_t kSlowProbeNs = 5 * kSecondNs;
constexpr std::uint64_t kProbeLongestNs = 30 * kSecondNs;

constexpr std::uint32_t kSamplesAtFirst = 5;
constexpr double kCapAtFirst = 8;
constexpr double kCapLeast = 2;
constexpr double kCapMost = 1'500'000;

/// Room for `workers` busy ones and for the chance of a Poisson count: three deviations.
double room_for(double workers) { return kTolerance * workers + 3 * std::sqrt(workers); }

}  // namespace

void LowestOfAMinute::add(std::uint64_t at_ns, double value) {
  const std::uint64_t number = at_ns / kBucketNs + 1;
  Bucket& bucket = buckets_[number % buckets_.size()];
  if (bucket.number != number) bucket = {number, value};
  bucket.lowest = std::min(bucket.lowest, value);
}

std::optional<double> LowestOfAMinute::lowest(std::uint64_t at_ns) const {
  const std::uint64_t now = at_ns / kBucketNs + 1;
  std::optional<double> found;
  for (const Bucket& bucket : buckets_) {
    if (bucket.number == 0 || bucket.number + buckets_.size() <= now) continue;
    found = std::min(found.value_or(bucket.lowest), bucket.lowest);
  }
  return found;
}

void Limiter::resume(std::uint32_t workers, std::uint64_t base_ns) {
  if (workers == 0 || base_ns == 0) return;
  base_ns_ = static_cast<double>(base_ns);
  cap_ = proven_cap_ = kTolerance * workers;
  means_.add(at_ns_, base_ns_);
}

std::uint32_t Limiter::cap() const {
  return static_cast<std::uint32_t>(std::llround(probe_ ? probe_->cap : cap_));
}

std::uint32_t Limiter::workers() const {
  if (cap_ == 0) return 0;
  return static_cast<std::uint32_t>(std::max(1LL, std::llround(cap_ / kTolerance)));
}

void Limiter::step(const LimiterInput& input) {
  const std::uint64_t began_ns = at_ns_;
  at_ns_ += input.elapsed_ns;
  if (probe_ && began_ns < probe_->drained_at_ns) return;
  chunk_.elapsed_ns += input.elapsed_ns;
  chunk_.answers += input.answers;
  chunk_.timed += input.timed;
  chunk_.time_ns += input.time_ns;
  chunk_.bound = chunk_.bound || input.bound;
  if (probe_) {
    follow_probe();
  } else if (const auto sample = take_sample(kSampleNs, kSlowSampleNs)) {
    learn(*sample, input.enforced);
  }
}

/// What was gathered, once it is of `least_ns` and of enough requests; after `enough_ns` fewer do.
std::optional<Limiter::Sample> Limiter::take_sample(std::uint64_t least_ns,
                                                    std::uint64_t enough_ns) {
  const bool enough = chunk_.timed >= kAnswersWanted ||
                      (chunk_.timed >= kAnswersLeast && chunk_.elapsed_ns >= enough_ns);
  if (chunk_.elapsed_ns < least_ns || !enough) {
    // So few requests say nothing, and old ones nothing of now.
    if (chunk_.elapsed_ns >= kMinuteNs) chunk_ = {};
    return std::nullopt;
  }
  Sample sample;
  sample.answers_per_ns =
      static_cast<double>(chunk_.answers) / static_cast<double>(chunk_.elapsed_ns);
  sample.mean_ns = static_cast<double>(chunk_.time_ns) / static_cast<double>(chunk_.timed);
  sample.bound = chunk_.bound;
  chunk_ = {};
  if (sample.mean_ns <= 0) return std::nullopt;
  return sample;
}

void Limiter::learn(const Sample& sample, bool enforced) {
  means_.add(at_ns_, sample.mean_ns);
  if (cap_ == 0) {
    begin(sample);
    return;
  }
  if (!base_is_known(sample, enforced)) {
    start_probe(sample.answers_per_ns, sample.mean_ns);
    return;
  }
  steer(sample, enforced);
}

/// The first cap has room for the busiest of some samples: one alone may be half idle.
void Limiter::begin(const Sample& sample) {
  base_ns_ = means_.lowest(at_ns_).value_or(sample.mean_ns);
  busiest_ = std::max(busiest_, sample.in_flight());
  if (++samples_ < kSamplesAtFirst) return;
  cap_ = std::min(kCapMost, std::max(kCapAtFirst, room_for(busiest_)));
}

/// Follows the lowest mean. It may rise where nobody can be waiting; where the tier is busy, only a
/// probe can tell, or else a lasting overload would raise base and cap minute by minute.
bool Limiter::base_is_known(const Sample& sample, bool enforced) {
  const double lowest = means_.lowest(at_ns_).value_or(base_ns_);
  if (lowest <= base_ns_ * kBaseRise || sample.in_flight() <= cap_ / 2 || !enforced) {
    base_ns_ = lowest;
    return true;
  }
  return at_ns_ < no_probe_before_ns_;
}

void Limiter::steer(const Sample& sample, bool enforced) {
  const double gradient = sample.mean_ns / base_ns_;
  const double busy = sample.answers_per_ns * base_ns_;
  saturated_ = gradient >= kCalm;
  if (gradient > kTolerance) {
    // A cap that is far away does no harm, and slow requests need not be waiting ones.
    if (sample.in_flight() > cap_ / 2) lower(sample, enforced);
    return;
  }
  if (sample.bound) {
    cap_ = std::max(cap_, kTolerance * busy) + (saturated_ ? 0 : std::sqrt(cap_));
  } else if (!saturated_) {
    cap_ = std::max(cap_, room_for(busy));
  }
  cap_ = std::min(cap_, kCapMost);
  if (proven_cap_ > 0) proven_cap_ = std::max(proven_cap_, cap_);
}

/// A cap that falls sends flows away, so that there are fewer answers, and it would fall on, were
/// it for a base that is too low. So a probe must confirm the base first, and again at every half.
void Limiter::lower(const Sample& sample, bool enforced) {
  const double wanted = std::max(kCapLeast, kTolerance * sample.answers_per_ns * base_ns_);
  if (!enforced || (proven_cap_ > 0 && wanted >= proven_cap_ / 2)) {
    cap_ = std::min(kCapMost, wanted);
  } else if (at_ns_ >= no_probe_before_ns_) {
    start_probe(sample.answers_per_ns, sample.mean_ns);
  }
}

void Limiter::start_probe(double answers_per_ns, double mean_ns) {
  Probe probe;
  probe.cap = std::max(1.0, std::floor(kProbeWorkers * answers_per_ns * base_ns_));
  probe.answers_per_ns = answers_per_ns;
  // Requests that came before must be gone: those that were waiting, and those that they kept.
  const auto drain_ns = static_cast<std::uint64_t>(
      std::clamp(3 * mean_ns, double{kSampleNs}, double{kProbeLongestNs}));
  probe.drained_at_ns = at_ns_ + drain_ns;
  probe.ends_at_ns = probe.drained_at_ns + kProbeLongestNs;
  probe_ = probe;
  chunk_ = {};
}

void Limiter::follow_probe() {
  const auto sample = take_sample(kSampleNs, kSlowProbeNs);
  if (!sample) {
    if (at_ns_ >= probe_->ends_at_ns) end_probe(false);
    return;
  }
  // Connections that were open before stay in the VM tier, and so may more than the cap's requests.
  if (sample->in_flight() > probe_->cap * kBaseRise + 1) {
    end_probe(false);
    return;
  }
  const bool some_waited = sample->mean_ns * kBaseRise < base_ns_;
  base_ns_ = sample->mean_ns;
  means_.clear();
  means_.add(at_ns_, base_ns_);
  if (some_waited && probe_->cap > 1) {
    // There are fewer workers than were believed in: some may have waited in this probe, too.
    start_probe(probe_->answers_per_ns, sample->mean_ns);
    return;
  }
  end_probe(true);
}

void Limiter::end_probe(bool base_is_proven) {
  if (base_is_proven) {
    cap_ = std::clamp(kTolerance * probe_->answers_per_ns * base_ns_, kCapLeast, kCapMost);
    proven_cap_ = cap_;
    saturated_ = false;
  } else {
    no_probe_before_ns_ = at_ns_ + kMinuteNs;
    if (proven_cap_ == 0) proven_cap_ = cap_;
  }
  probe_.reset();
  chunk_ = {};
}

}  // namespace flare
