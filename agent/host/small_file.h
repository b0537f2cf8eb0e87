// Small files read and replaced whole.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace flare {

/// The contents of `path`, at most `bytes_max`; nullopt where there is no such file.
Result<std::optional<std::string>> read_small_file(const std::filesystem::path& path,
                                                   std::size_t bytes_max);

/// Replaces `path` by rename: a reader sees the old contents or the new, also after a crash.
Result<void> replace_file(const std::filesystem::path& path, std::string_view contents,
                          mode_t mode);

/// Makes `path` and what is above it; `mode` and `group` are for the last folder, where it is new.
Result<void> make_folder(const std::filesystem::path& path, mode_t mode, gid_t group);

/// Members of the group `flare` may look on; without the group, only root may.
gid_t onlookers();

}  // namespace flare
