// Requests for the report's tests, by what matters of them.
#pragma once

#include <cstdint>
#include <vector>

#include "load/record.h"

namespace flare::eval {

inline lab::RequestRecord answered(double intended_s, double latency_ms,
                                   lab::Tier tier = lab::Tier::kVm, std::uint32_t work_us = 0) {
  lab::RequestRecord record;
  record.intended_ns = static_cast<std::int64_t>(intended_s * 1e9);
  record.sent_us = 0;
  record.done_us = static_cast<std::uint32_t>(latency_ms * 1000);
  record.status = 200;
  record.tier = tier;
  record.outcome = lab::Outcome::kOk;
  record.work_us = work_us;
  return record;
}

inline lab::RequestRecord failed(double intended_s) {
  lab::RequestRecord record;
  record.intended_ns = static_cast<std::int64_t>(intended_s * 1e9);
  record.sent_us = 0;
  record.outcome = lab::Outcome::kTimeout;
  return record;
}

/// Adds `count` requests to a second, 1 ms apart.
inline void add(std::vector<lab::RequestRecord>& records, int second, int count, double latency_ms,
                lab::Tier tier = lab::Tier::kVm, std::uint32_t work_us = 0) {
  for (int i = 0; i < count; ++i) {
    records.push_back(answered(second + 0.001 * i, latency_ms, tier, work_us));
  }
}

/// `seconds` of 20 requests at 100 ms; in those of `late`, two of them take 500 ms, so that the P95
/// of 20 (the 19th) is 500 ms and their P50 is 100 ms.
inline std::vector<lab::RequestRecord> seconds_with(int seconds, const std::vector<int>& late) {
  std::vector<lab::RequestRecord> records;
  for (int second = 0; second < seconds; ++second) {
    bool is_late = false;
    for (const int one : late) is_late = is_late || one == second;
    add(records, second, is_late ? 18 : 20, 100);
    if (is_late) add(records, second, 2, 500);
  }
  return records;
}

}  // namespace flare::eval
