// What the counts of the datapath must agree on, whatever was sent.
#pragma once

#include "datapath/world.h"

namespace flare::fuzz {

/// What holds between packets: requests begun are answered, abandoned or in flight; what is counted
/// as open is in a table. Where it does not, the process ends.
void judge_accounts(World& world);

}  // namespace flare::fuzz
