// A file that decides where traffic goes is read whole, and only where nobody else may write it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

#include "base/result.h"

namespace flare {

struct FileRules {
  uid_t owner = 0;                           ///< who must own it
  std::size_t bytes_max = 32 * 1024 * 1024;  ///< the most services and backends take 6
};

/// The contents of the regular file `path`. Refuses one of another owner, one that group or others
/// may write, one that is empty or too large, and one that changes while it is read.
Result<std::string> read_trusted_file(const std::filesystem::path& path, const FileRules& rules);

}  // namespace flare
