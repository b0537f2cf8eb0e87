// The files of a run beside its load: fleet, controller, datapath, serverless backend.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "eval/report/run.h"

namespace flare::eval {

Result<void> read_fleet(Fleet& fleet, const std::filesystem::path& path);

/// These three leave what they fill as it is where there is no such file: not all policies have it.
Result<void> read_control(std::vector<ControlSample>& control, const std::filesystem::path& path);
Result<void> read_service(std::optional<std::uint64_t>& over_cap,
                          const std::filesystem::path& path);
Result<void> read_serverless(std::optional<std::uint64_t>& cold_starts,
                             const std::filesystem::path& path);

}  // namespace flare::eval
