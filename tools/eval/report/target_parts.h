// The parts of a target: which cells it asks, and what one of them has to say.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "eval/report/targets.h"

namespace flare::eval {

/// The cells that a target asks, of all profiles.
struct Asked {
  std::string_view scenario = "spike";
  std::string_view functions = "warm";
  bool open_too = false;  ///< closed-loop users alone, or open arrivals beside them
};

/// What is judged of a cell that has a valid run, as have those of the policies it is compared
/// with.
using Judge = std::function<Part(const Cell&)>;

/// A part for each such cell of policy `cap` in the matrix; where the matrix has none, one part
/// that says so. `others` are the policies without which there is nothing to judge.
void ask(Target& target, const Results& results, const Asked& asked,
         const std::vector<std::string_view>& others, const Judge& judge,
         std::string_view policy = "cap");

Part judged(const Cell& cell, const Spread& spread, Unit unit, bool holds, std::string words);
Part unmeasured(const Cell& cell, std::string why);

}  // namespace flare::eval
