// What flared takes: memory, descriptors, and the BPF maps that it and its pins hold.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace flare::test {

struct Vitals {
  std::uint64_t memory = 0;  ///< resident bytes
  std::uint64_t descriptors = 0;
  std::uint64_t maps = 0, map_bytes = 0;  ///< inner maps and what nobody but a pin holds included
};

Vitals vitals_of(pid_t agent, const std::string& pin_dir);

/// A figure over time: does it grow? The first third of its samples may still settle.
class Trend {
 public:
  void add(std::uint64_t value) { values_.push_back(value); }
  void clear() { values_.clear(); }
  std::size_t samples() const { return values_.size(); }
  std::uint64_t first() const;  ///< the highest of the first third
  std::uint64_t last() const;   ///< the highest of the last third
  std::uint64_t growth() const { return last() > first() ? last() - first() : 0; }

 private:
  std::vector<std::uint64_t> values_;
};

}  // namespace flare::test
