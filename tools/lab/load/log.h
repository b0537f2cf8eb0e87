// The log of a run: one CSV line a request, with all that the record holds; written, and read back.
#pragma once

#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "load/record.h"

namespace flare::lab {

/// Writes the records. What did not happen is an empty cell.
Result<void> write_log(const std::filesystem::path& path, std::span<const RequestRecord> records);

/// The records of a log's text. An error names the line and what is wrong in it.
Result<std::vector<RequestRecord>> parse_log(std::string_view text);

}  // namespace flare::lab
