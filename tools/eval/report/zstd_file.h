// A compressed file, read whole.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"

namespace flare::eval {

/// The text in a file of Zstandard. A file that ends amid a frame is an error.
Result<std::string> read_zstd(const std::filesystem::path& path);

}  // namespace flare::eval
