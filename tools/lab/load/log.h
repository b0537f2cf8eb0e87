// The log of a run: one CSV line a request, with all that the record holds.
#pragma once

#include <filesystem>
#include <span>

#include "base/result.h"
#include "load/record.h"

namespace flare::lab {

/// Writes the records. What did not happen is an empty cell.
Result<void> write_log(const std::filesystem::path& path, std::span<const RequestRecord> records);

}  // namespace flare::lab
