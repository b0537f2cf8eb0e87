// What a table of flare_balance must show.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

namespace flare::bench {

struct Bound {
  std::string what;
  bool holds = false;
};

inline bool all_hold(const std::vector<Bound>& bounds) {
  return std::all_of(bounds.begin(), bounds.end(), [](const Bound& one) { return one.holds; });
}

}  // namespace flare::bench
