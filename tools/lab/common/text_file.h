// A file written whole.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.h"

namespace flare::lab {

/// Writes `text` as it is, over what was there. The error names the file.
Result<void> write_text_file(const std::filesystem::path& path, std::string_view text);

}  // namespace flare::lab
