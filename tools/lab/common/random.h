// Random numbers that are the same on every machine and in every run: the standard library's
// distributions may differ between implementations, these do not.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

namespace flare::lab {

/// The splitmix64 finaliser: neighbouring inputs give unrelated outputs.
constexpr std::uint64_t mixed(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15ULL;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31);
}

/// A stream of numbers from one seed.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(mixed(seed)) {}

  std::uint64_t next() { return mixed(state_++); }

  /// Uniform in [0, 1).
  double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

  /// Exponential with mean 1.
  double exponential() { return -std::log1p(-uniform()); }

  /// Normal with mean 0 and variance 1.
  double normal() {
    const double radius = std::sqrt(2 * exponential());
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }

 private:
  std::uint64_t state_;
};

/// The stream that belongs to one `number` under `seed`, whatever was drawn before.
inline Random random_of(std::uint64_t seed, std::uint64_t number) {
  return Random(mixed(seed) ^ number);
}

}  // namespace flare::lab
