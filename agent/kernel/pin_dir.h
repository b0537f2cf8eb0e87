// The directory that holds our pins: its file system, its modes, its group.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace flare {

/// `<pin_dir>/v<FLARE_ABI_VERSION>`, where this layout's maps are pinned.
std::filesystem::path layout_dir(const std::filesystem::path& pin_dir);
/// Where its links are pinned.
std::filesystem::path links_dir(const std::filesystem::path& pin_dir);
/// The folders of other layouts, of those that are known by their names.
std::vector<std::filesystem::path> layouts_beside(const std::filesystem::path& layout);
/// Moves the pin of a link to `pin`, below `layout`, from the same place of another layout, if it
/// is there: its programs are replaced next. A start that ends amid this leaves the link pinned in
/// one of the two.
void take_from_other_layout(const std::filesystem::path& layout, const std::filesystem::path& pin);

/// Makes the three directories (0750, group flare where there is one). Fails where the path is not
/// on a bpffs and says how to mount one.
Result<void> make_pin_dirs(const std::filesystem::path& pin_dir);
/// Whether the path, or its nearest existing parent, is on a bpffs.
bool is_on_bpffs(const std::filesystem::path& path);
/// Maps 0640 for group flare (links and programs stay as the kernel makes them: 0600 root).
Result<void> open_maps_to_group(const std::filesystem::path& pin_dir);
/// Names of the maps pinned there now.
std::vector<std::string> pinned_names(const std::filesystem::path& dir);

/// Every map that belongs to the layout, in the order of maps.bpf.h.
const std::vector<std::string>& map_names();

}  // namespace flare
