// What a service says of its own load, where packets cannot show it: counting `reported`.
#pragma once

#include <cstdint>
#include <optional>

namespace flare {

/// A report that is older says nothing any more.
constexpr std::uint64_t kReportBoundNs = 5'000'000'000;

/// One report; it holds at least one of them.
struct LoadReport {
  std::optional<std::uint64_t> in_flight;
  std::optional<std::uint64_t> requests;  ///< since the service started
};

/// The reports of one service over time.
class ReportedLoad {
 public:
  /// From when on reports can come. The first one is not late before the bound has passed.
  void expect(std::uint64_t now_ns) {
    if (expected_ns_ == 0) expected_ns_ = now_ns;
  }
  /// Goes on after a report that an earlier agent has got.
  void resume(std::uint64_t at_ns, std::uint64_t in_flight) {
    at_ns_ = in_flight_at_ns_ = at_ns;
    in_flight_ = in_flight;
  }

  void add(const LoadReport& report, std::uint64_t now_ns);

  /// When the last report came; 0: none ever did.
  std::uint64_t at_ns() const { return at_ns_; }
  bool is_late(std::uint64_t now_ns) const {
    return !is_recent(at_ns_, now_ns) && !is_recent(expected_ns_, now_ns);
  }
  /// Requests in flight; nothing where none were told lately.
  std::optional<std::uint64_t> in_flight(std::uint64_t now_ns) const;
  /// Requests per 1,000 s; nothing where two counts are missing.
  std::optional<std::uint64_t> mrps(std::uint64_t now_ns) const;

 private:
  struct Count {
    std::uint64_t requests = 0;
    std::uint64_t at_ns = 0;
  };
  static bool is_recent(std::uint64_t at_ns, std::uint64_t now_ns) {
    return at_ns != 0 && now_ns - at_ns <= kReportBoundNs;
  }

  std::uint64_t expected_ns_ = 0;
  std::uint64_t at_ns_ = 0;
  std::uint64_t in_flight_ = 0;
  std::uint64_t in_flight_at_ns_ = 0;
  std::optional<Count> from_;  ///< where the rate is measured from
  std::uint64_t mrps_ = 0;
  std::uint64_t mrps_at_ns_ = 0;
};

}  // namespace flare
