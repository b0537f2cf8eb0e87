// How many files this process may have open at once.
#pragma once

namespace flare {

/// Raises the limit to the most that this process may have: programs and maps are descriptors, some
/// hundred of them.
void raise_descriptor_limit();

}  // namespace flare
