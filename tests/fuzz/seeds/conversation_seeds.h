// Inputs in which clients and servers talk: what single packets of the fixtures do not reach.
#pragma once

#include <vector>

#include "support/packet.h"

namespace flare::test {

/// HTTP/1.x, HTTP/2 and TLS on connections that stay, spill, are balanced and are told to move;
/// lost, late and repeated segments, frames that lie in two.
std::vector<Bytes> conversations();

}  // namespace flare::test
