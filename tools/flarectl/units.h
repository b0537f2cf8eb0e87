// Numbers as people read them. JSON never goes through here.
#pragma once

#include <cstdint>
#include <string>

namespace flare::ctl {

/// 12,345; from ten million on 12.3M, 4.56G.
std::string human_count(std::uint64_t count);
/// 999 B, 12.3 kB, 4.56 GB (powers of 1000).
std::string human_bytes(std::uint64_t bytes);
/// 0.4 s, 12 s, 3 min 5 s, 2 h 3 min, 4 d 5 h.
std::string human_time(std::uint64_t ns);
/// 123 us, 71.3 ms, 1.24 s: three digits.
std::string human_latency(std::uint64_t ns);
/// 12.3/s; four digits at most count.
std::string human_rate(double per_second);
/// A fraction of 1 as 12.5 %; 0 % and 100 % only where it is exactly that.
std::string human_share(double fraction);
/// $1.23, $0.0042.
std::string human_usd(double usd);

}  // namespace flare::ctl
