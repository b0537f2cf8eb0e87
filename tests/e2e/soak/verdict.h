// What a soak must have shown.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "soak.h"

namespace flare::test {

/// A rule, and the figures that it was judged by.
struct SoakRule {
  std::string name;
  std::string what;
  bool holds = false;
  std::vector<std::pair<std::string, std::uint64_t>> figures;
};

std::vector<SoakRule> judge_soak(const SoakResult& result);

}  // namespace flare::test
