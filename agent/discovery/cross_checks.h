// What must hold between the values of a configuration, and between it and the host.
#pragma once

#include "discovery/problem.h"
#include "discovery/sections.h"
#include "model/host_ports.h"

namespace flare {

/// Adds a problem for everything in `draft` that cannot be true together.
void cross_check(const Draft& draft, const HostPorts& host, Problems& problems);

}  // namespace flare
