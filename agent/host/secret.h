// The secret of the keyed hash: random, and kept across restarts.
#pragma once

#include <filesystem>

#include "base/result.h"
#include "base/siphash.h"

namespace flare {

/// Fresh random bytes from the kernel.
Result<HashKey> fresh_hash_key();

/// The key in the file `path` (32 hex digits, mode 0600), written there first where there is none.
/// A file that is not a key, or that others may read, is an error: replacing it would move flows.
Result<HashKey> hash_key_from(const std::filesystem::path& path);

/// Writes `key` to `path`, where it is not there already.
Result<void> keep_hash_key(const std::filesystem::path& path, const HashKey& key);

}  // namespace flare
