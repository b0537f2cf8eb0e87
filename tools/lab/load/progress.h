// The line a second that a person reads while a run is going on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "load/record.h"

namespace flare::lab {

/// Gathers what happened since the last line: requests started, and requests that ended.
class Progress {
 public:
  void started() { ++started_; }
  void ended(const RequestRecord& record);

  /// The line for the second that is over, and a new start. `second` is below 0 in the lead-in.
  std::string line(int second, std::size_t in_flight);

 private:
  std::uint64_t started_ = 0;
  std::uint64_t vm_ = 0;
  std::uint64_t serverless_ = 0;
  std::uint64_t failed_ = 0;
  std::vector<std::uint32_t> samples_us_;
};

}  // namespace flare::lab
