// What the datapath's counters of one backend say against it. No clock, no map.
//
// The rules look for what an overloaded backend does not do. Envoy's outlier detection ejects after
// 5 consecutive failures, HAProxy's `observe layer4` after 10, IPVS and Katran after none; all of
// them count failures in a row and so does this: one flow that is taken starts every count anew.
//
//   refused     3 SYNs in a row were answered with a RST. A listener that is gone; one flow may
//   meet
//               a restart, three in a row are none that a full queue makes.
//   unanswered  5 new flows that are older than 1.25 s, and none was taken since. A SYN is repeated
//               after 1 s (RFC 6298): where 10 % of the packets are lost each way, one flow in 28
//               and its repetition stay unanswered, and 5 in a row once in 10^7. Full queues take
//               some.
//   unanswered, UDP  20 such flows, and only of a backend that has answered at least half of its
//               flows, and 20 of them: what speaks one way is never judged.
//   hung        requests in flight, 3 or more begun since the last answer, over at least a second,
//               and no answer for 3 s or four times what 99.9 % of the service's requests take, the
//               longer. Not before that is known.
//   slow        see TierHealth: that needs the others.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "model/address.h"

namespace flare {

/// A backend's counters at one moment. Counts grow; in_flight is as it is.
struct BackendSample {
  std::uint64_t flows_new = 0;
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;
  std::uint64_t requests = 0;
  std::uint64_t answers = 0;
  std::uint64_t in_flight = 0;
};

enum class PassiveKind : std::uint8_t { kRefused, kUnanswered, kHung, kSlow };

struct PassiveSignal {
  PassiveKind kind = PassiveKind::kRefused;
  std::string why;  ///< a few words with the figures
};

/// What a tier's requests take at most, for the rule `hung`; nothing where none were timed.
using SlowestNs = std::optional<std::uint64_t>;

/// Requests over the last second or so.
struct RecentLoad {
  double in_flight = 0;  ///< on average
  std::uint64_t answers = 0;
  std::uint64_t elapsed_ns = 0;  ///< 0: not known yet
  /// Mean time of a request by Little's law; nothing where none was answered.
  std::optional<double> request_ns() const;
};

class PassiveWatch {
 public:
  /// Takes the counters at `now_ns`. Counts that fall were started anew, and so is the watch.
  void add(const BackendSample& sample, std::uint64_t now_ns);
  /// What was seen so far counts for nothing: the backend has just come back.
  void forget();

  std::optional<PassiveSignal> signal(Protocol protocol, SlowestNs slowest_ns) const;
  RecentLoad recent() const;

  /// Begins to count for a trial.
  void begin_trial();
  /// Flows taken (and `answers`: requests answered, too) since the trial began are enough.
  bool trial_is_good(bool answers) const;
  /// What speaks against it in its trial, where one bad flow weighs more than without.
  std::optional<PassiveSignal> trial_signal(Protocol protocol, SlowestNs slowest_ns) const;
  /// Requests since the trial began.
  RecentLoad trial_load() const;

 private:
  struct Mark {
    std::uint64_t at_ns = 0;
    std::uint64_t flows_new = 0;
    std::uint64_t answers = 0;
    double busy = 0;  ///< requests in flight, added up over time: request x ns
  };
  static constexpr std::size_t kMarks = 8;  ///< 1.4 s of them

  const Mark& mark_before(std::uint64_t age_ns) const;
  std::optional<PassiveSignal> hung(SlowestNs slowest_ns) const;
  RecentLoad load_since(const Mark& mark) const;

  BackendSample last_;
  Mark now_;                          ///< of `last_`
  BackendSample good_;                ///< when a flow was last seen to be taken
  BackendSample trial_;               ///< when the trial began
  Mark trial_mark_;                   ///< of `trial_`
  std::uint64_t quiet_since_ns_ = 0;  ///< in flight, and no answer since; 0: not
  std::uint64_t quiet_requests_ = 0;  ///< requests at that time
  std::uint64_t last_request_ns_ = 0;
  std::array<Mark, kMarks> marks_{};  ///< a ring
  std::size_t next_ = 0;
};

}  // namespace flare
