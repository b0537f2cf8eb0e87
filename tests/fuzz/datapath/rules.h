// The oracle: what holds for every packet, whatever it is and whatever came before.
//
// 1. The verdict is one of ours, never "aborted", and the one that the counted reason stands for.
// 2. Each hook counts exactly one reason.
// 3. What is neither for a service nor of a flow passes as it came, and makes no entry.
// 4. What is translated keeps its length and its payload, loses a hop (none where the stack counts
//    it), has its sums as right or as wrong as they were, and the maps hold the way back. Answers
//    go to the sender and their sums are right.
// 5. What is malformed is dropped at a balancer and passes as it came elsewhere.
//
// A rule that does not hold prints the packet and ends the process.
#pragma once

#include "datapath/session.h"

namespace flare::fuzz {

void judge(Session& session, const Arrived& in, const Left& out);

/// What holds between packets: requests begun are answered, abandoned or in flight; what is counted
/// as open is in a table.
void judge_accounts(World& world);

/// Ends the process, saying that `rule` was broken, and by what.
[[noreturn]] void broken(const char* rule, const Arrived& in, const Left& out);

}  // namespace flare::fuzz
