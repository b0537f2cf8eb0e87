// A file of rates or counts, one a second: `second,value` lines under a title line; lines that
// begin with # are remarks.
#pragma once

#include <filesystem>
#include <vector>

#include "base/result.h"

namespace flare::lab {

/// Reads the second column. The first one must count up from 0 in ones. An error names the line.
Result<std::vector<double>> read_rate_file(const std::filesystem::path& path);

/// Writes rates, with `remark` (may be empty) as a # line on top.
Result<void> write_rate_file(const std::filesystem::path& path, const std::vector<double>& rates,
                             std::string_view remark);

}  // namespace flare::lab
