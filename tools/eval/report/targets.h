// T1 to T11: what the evaluation must show, and whether it does.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "eval/report/results.h"
#include "eval/report/words.h"
#include "report/price.h"

namespace flare::eval {

enum class Verdict { kPass, kFail, kNotMeasured };

std::string_view to_word(Verdict verdict);

/// What one cell has to say.
struct Part {
  Cell cell;
  std::optional<Spread> spread;  ///< the figure that is judged; nothing where it is not measured
  Unit unit = Unit::kSeconds;
  std::string words;  ///< the figure and what else is told, or what is missing
  Verdict verdict = Verdict::kNotMeasured;
};

struct Target {
  std::string id;
  std::string measure;
  std::string paper;
  std::string ours;  ///< the target
  std::string how;   ///< one sentence
  std::vector<Part> parts;
  /// Fails where a part fails; passes where all parts pass; else it is not measured.
  Verdict verdict() const;
};

std::vector<Target> targets_of(const Results& results, const lab::Prices& prices);

}  // namespace flare::eval
