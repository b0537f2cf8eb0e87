// Rule 4: packets that were changed.
#pragma once

#include "datapath/rules.h"

namespace flare::fuzz {

/// A packet that was translated and sent, or left to the stack.
void judge_translation(Ground& ground, const Arrived& in, const Left& out);
/// A packet that was turned into an answer, or dropped as if that had been lost.
void judge_answer(const Arrived& in, const Left& out);
/// A packet that goes its own way, of a connection which may be told to end: its sums.
void judge_moved(const Arrived& in, const Left& out);

}  // namespace flare::fuzz
