// Latencies by second where there are too many to keep: slots of 1/128 of a power of two.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

namespace flare::eval {

class Histogram {
 public:
  void add(std::uint64_t us) {
    ++counts_[slot_of_us(us)];
    ++total_;
  }
  void add(const Histogram& other) {
    for (std::size_t slot = 0; slot < counts_.size(); ++slot) counts_[slot] += other.counts_[slot];
    total_ += other.total_;
  }
  std::uint64_t total() const { return total_; }

  /// Nearest rank, `fraction` in (0, 1], in milliseconds: the lowest value of its slot, at most
  /// 1/128 below the true one. 0 of none.
  double rank_ms(double fraction) const {
    const auto rank =
        static_cast<std::uint64_t>(std::ceil(fraction * static_cast<double>(total_) - 1e-9));
    std::uint64_t seen = 0;
    for (std::size_t slot = 0; slot < counts_.size(); ++slot) {
      seen += counts_[slot];
      if (seen >= rank && seen > 0) return static_cast<double>(lowest_us(slot)) / 1000;
    }
    return 0;
  }

 private:
  static constexpr unsigned kBits = 7;
  static constexpr std::size_t kSlots = (40 - kBits) << kBits;  // up to 2^39 us

  static std::size_t slot_of_us(std::uint64_t us) {
    if (us < (1U << kBits)) return us;
    const auto octave = static_cast<unsigned>(std::bit_width(us)) - kBits - 1;
    const std::size_t slot = (std::size_t{octave} << kBits) + (us >> octave);
    return slot < kSlots ? slot : kSlots - 1;
  }
  static std::uint64_t lowest_us(std::size_t slot) {
    if (slot < (2U << kBits)) return slot;
    const std::size_t octave = (slot >> kBits) - 1;
    return (slot - (octave << kBits)) << octave;
  }

  std::vector<std::uint64_t> counts_ = std::vector<std::uint64_t>(kSlots);
  std::uint64_t total_ = 0;
};

}  // namespace flare::eval
