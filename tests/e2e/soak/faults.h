// The faults of the soak: how each is caused, and what it may do to datagrams that are sent
// meanwhile.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "soak_lab.h"

namespace flare::test {

struct Fault {
  std::string name;
  std::function<void()> cause;  ///< returns when all is as before
  bool restarts = false;        ///< flared is another process afterwards
  std::string may_lose = {};    ///< why datagrams may be lost meanwhile; empty: none may
};

/// They refer to `lab`, which must outlive them.
std::vector<Fault> all_faults(SoakLab& lab);

/// What makes the soak fail, to see that it can: `detach`, `descriptor`, `map`. Called each second
/// between faults.
std::function<void()> breakage(SoakLab& lab, const std::string& name);

}  // namespace flare::test
