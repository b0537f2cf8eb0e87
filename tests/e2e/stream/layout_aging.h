// Makes a layout that flared has pinned look like an earlier one, whose records have their fields
// in other places: what an upgrade meets.
#pragma once

#include <filesystem>

namespace flare::test {

/// Of the pins below `pin_dir` of a flared that is dead; its programs go on. The records of `flows`
/// have service and backend, and both times, in each other's place, and the layout says so itself.
/// Returns the folder.
std::filesystem::path age_layout(const std::filesystem::path& pin_dir);

}  // namespace flare::test
