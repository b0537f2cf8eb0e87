// The addresses of this host, as its network namespace has them now.
#pragma once

#include <set>

#include "base/result.h"
#include "model/address.h"

namespace flare {

/// Of all interfaces, both families, whether they are up or not.
Result<std::set<Address>> read_host_addresses();

}  // namespace flare
