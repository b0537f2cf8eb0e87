// What the process may still do once the programs are loaded.
#pragma once

#include "base/result.h"

namespace flare {

/// Gives up every capability but CAP_BPF (maps) and CAP_NET_ADMIN (attaching): effective, permitted
/// and bounding sets, and what a new program could gain. Cannot be undone.
Result<void> drop_capabilities();

}  // namespace flare
