// When requests are to start: from the rates and a seed, known before anything is sent (open), or
// from the rates and the answers (users). It reads no clock.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <queue>
#include <vector>

namespace flare::lab {

/// Rates by second. Second 0 is where measuring starts; `lead_in` further seconds before it rise
/// evenly to the first rate, so that no controller mistakes the start of the run for a spike.
struct RatePlan {
  std::vector<double> rates;  ///< with those of the lead-in in front
  int lead_in = 0;

  static RatePlan with_lead_in(const std::vector<double>& measured, int lead_in);

  std::int64_t start_ns() const { return -std::int64_t{lead_in} * 1'000'000'000; }
  int end_second() const { return static_cast<int>(rates.size()) - lead_in; }
  /// The rate in `second`, which may be negative in the lead-in.
  double rate_at(int second) const {
    const int index = second + lead_in;
    return rates[static_cast<std::size_t>(index)];
  }
};

/// A request to start. Times are nanoseconds after the start of second 0.
struct Arrival {
  std::int64_t at_ns = 0;
  std::uint32_t user = 0;
};

/// The next arrivals, in order of time.
class Arrivals {
 public:
  virtual ~Arrivals() = default;
  /// The next arrival; nothing where none is known, now or ever.
  virtual std::optional<Arrival> peek() const = 0;
  virtual void pop() = 0;
  /// The request of `arrival` is over, answered or failed, at `now_ns`.
  virtual void ended(const Arrival& arrival, std::int64_t now_ns) = 0;
};

/// Poisson arrivals, whatever becomes of the requests.
std::unique_ptr<Arrivals> open_arrivals(const RatePlan& plan, std::uint64_t seed);

/// As many users as the rate says, each starting at most one request a second and waiting for its
/// answer first. A user keeps its phase within the second while it is not held up.
std::unique_ptr<Arrivals> user_arrivals(const RatePlan& plan, std::uint64_t seed);

}  // namespace flare::lab
