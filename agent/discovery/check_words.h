// How the checks across values name what they found, and the checks that have files of their own.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "discovery/own_addresses.h"
#include "discovery/problem.h"
#include "discovery/sections.h"

namespace flare {

/// `services[1].policy`.
std::string service_key(std::size_t service, std::string_view field);
/// `services[1].vm[0].endpoint`, or without the last part where `field` is empty.
std::string service_key(std::size_t service, std::string_view list, std::size_t item,
                        std::string_view field);

/// The backends of service `i`: how many, of which family, each once, and none where a flow would
/// come back to us.
void check_tiers(const Draft& draft, std::size_t i, const OwnAddresses& own, Problems& problems);

/// What service `i` and its backends say that the VM tier can do: each figure in one place.
void check_capacity(const Draft& draft, std::size_t i, Problems& problems);
/// Whether the VM tier's workers, or its capacity, are told: by the service, by its VM backends, or
/// by the control plane that adds these.
bool tells_workers(const Draft& draft, std::size_t i);
bool tells_capacity(const Draft& draft, std::size_t i);

/// What service `i` says that its placement does not have, or lacks; and its health and chain.
void check_placement(const Draft& draft, std::size_t i, Problems& problems);

/// `interfaces`, `cgroups` and `serverless_sources`, and who needs them.
void check_reach(const Draft& draft, Problems& problems);

}  // namespace flare
