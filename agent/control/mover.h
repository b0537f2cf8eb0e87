// How many open connections are told to end, so that the load follows a change: a closed loop on
// the measured share of requests. No clock, no map.
#pragma once

#include <cstdint>

namespace flare {

/// What a moment sees of a service.
struct MoveInput {
  std::uint64_t elapsed_ns = 0;   ///< since the moment before
  std::uint64_t vm_requests = 0;  ///< begun meanwhile
  std::uint64_t serverless_requests = 0;
  std::int64_t in_flight = 0;  ///< in the VM tier, now
  std::uint64_t share = 0;     ///< wanted of serverless, of FLARE_SHARE_ONE
  bool by_cap = false;         ///< the cap decides; a share above 0 is a floor
  std::uint32_t workers = 0;   ///< of the VM tier; 0: not known
  std::uint32_t cap = 0;       ///< 0: none
  double rate = 0;             ///< MoveConfig::rate
};

/// Connections told to end a second, at most, by the tier that they leave.
struct MoveRates {
  double vm = 0;
  double serverless = 0;
  bool gated = false;  ///< out only while the VM tier is at its cap, home only while it is not
  bool operator==(const MoveRates&) const = default;
};

/// Follows one service.
///
/// A connection is told when it is answered, so a rate is a part of a tier's requests. It dials
/// again and is decided like any new one: where too many are told the load still ends up as it
/// should, at the price of handshakes.
///
/// By share: while serverless has less of the requests than it should, VM connections move, in
/// proportion to what is missing; while it has more, they come home. What chance makes of a count
/// (two standard deviations, 2 % at the least) is let be.
///
/// By cap: out at the full rate, for the datapath lets one go only while the cap is reached; home
/// in proportion to the room that the VM tier has, while fewer requests than 0.8 of its workers are
/// in flight.
class Mover {
 public:
  MoveRates step(const MoveInput& input);

 private:
  MoveRates by_share(double share, double rate) const;
  MoveRates by_cap(const MoveInput& input) const;
  double measured_share() const;
  double all_rps() const { return vm_rps_ + serverless_rps_; }
  double slack(double share) const;

  double vm_rps_ = 0;
  double serverless_rps_ = 0;
  double in_flight_ = 0;
  double window_s_ = 0;  ///< the time that the averages above stand for
};

}  // namespace flare
