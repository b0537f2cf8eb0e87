#include "control/mover.h"

#include <algorithm>
#include <cmath>

#include "control/formula.h"

namespace flare {
namespace {

constexpr double kNsPerSecond = 1e9;
/// Averages are over so many requests, within these bounds of time.
constexpr double kWindowRequests = 200;
constexpr double kWindowMinS = 0.2;
constexpr double kWindowMaxS = 2;
/// A share that is off by so much moves at the full rate.
constexpr double kFullGap = 0.1;
constexpr double kSlackMin = 0.02;
constexpr double kHomeBelow = 0.8;  ///< of the workers
constexpr double kHomeUpTo = 0.9;
/// What a tier without any request is treated as.
constexpr double kIdleRps = 1;

/// To the nearest half power of two, so that a rate changes seldom.
double rounded(double per_second) {
  if (per_second < 0.1) return 0;
  return std::exp2(std::round(std::log2(per_second) * 2) / 2);
}

}  // namespace

double Mover::measured_share() const { return all_rps() > 0 ? serverless_rps_ / all_rps() : 0; }

/// How far a share may be off by chance. None and all are exact.
double Mover::slack(double share) const {
  if (share <= 0 || share >= 1) return 0;
  const double requests = std::max(1.0, all_rps() * window_s_);
  return std::max(kSlackMin, 2 * std::sqrt(share * (1 - share) / requests));
}

MoveRates Mover::by_share(double share, double rate) const {
  MoveRates rates;
  const double gap = share - measured_share();
  if (std::abs(gap) <= slack(share)) return rates;
  const double part = rate * std::min(1.0, std::abs(gap) / kFullGap);
  (gap > 0 ? rates.vm : rates.serverless) =
      part * std::max(kIdleRps, gap > 0 ? vm_rps_ : serverless_rps_);
  return rates;
}

MoveRates Mover::by_cap(const MoveInput& input) const {
  MoveRates rates;
  rates.gated = true;
  if (input.cap == 0) return rates;
  rates.vm = input.rate * std::max(kIdleRps, vm_rps_);
  if (serverless_rps_ <= 0 || in_flight_ >= kHomeBelow * input.workers) return rates;
  const double load = std::max(in_flight_, 1.0) / (kHomeUpTo * input.workers);
  const double room_rps = std::max(kIdleRps, vm_rps_) * (1 / load - 1);
  rates.serverless = input.rate * std::min(serverless_rps_, room_rps);
  return rates;
}

MoveRates Mover::step(const MoveInput& input) {
  if (input.elapsed_ns == 0) return {};
  const double elapsed_s = static_cast<double>(input.elapsed_ns) / kNsPerSecond;
  window_s_ = std::clamp(kWindowRequests / std::max(1.0, all_rps()), kWindowMinS, kWindowMaxS);
  const double weight = 1 - std::exp(-elapsed_s / window_s_);
  vm_rps_ += weight * (static_cast<double>(input.vm_requests) / elapsed_s - vm_rps_);
  serverless_rps_ +=
      weight * (static_cast<double>(input.serverless_requests) / elapsed_s - serverless_rps_);
  in_flight_ += weight * (static_cast<double>(input.in_flight) - in_flight_);

  const double share = share_to_fraction(input.share);
  const bool floor_is_met = measured_share() >= share - slack(share);
  MoveRates rates = input.by_cap && floor_is_met ? by_cap(input) : by_share(share, input.rate);
  rates.vm = rounded(rates.vm);
  rates.serverless = rounded(rates.serverless);
  return rates;
}

}  // namespace flare
