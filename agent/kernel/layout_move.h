// From the maps of another layout to ours while its programs run: what an upgrade or a downgrade of
// flared does where the structs of abi.h have changed.
//
// Each layout describes itself: beside its maps a map `layout` is pinned, which holds its type
// information. A move that was cut short anywhere is finished by the next start of either version:
//
//   1. `<ours>/unfinished` is made, then our maps; what the agent writes is copied.
//   2. What the datapath writes is copied, and `unfinished` goes.
//   3. Each link moves into our folder and gets our program (LinkPins).
//   4. What the old programs wrote meanwhile is added, and the old layout's pins go.
//
// Until a link is in our folder the next start removes what there is of our layout and begins
// again; from then on both layouts are whole, and it goes on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "base/result.h"
#include "kernel/map_handle.h"

struct btf;

namespace flare {

/// The layout in force that ours has to take the place of, if there is one; what was never in force
/// is removed. Fails where what is attached does not describe itself: it goes on.
Result<std::optional<std::filesystem::path>> find_older_layout(
    const std::filesystem::path& pin_dir);

/// Marks our layout as not in force yet, and takes the mark away.
Result<void> begin_layout(const std::filesystem::path& pin_dir);
Result<void> complete_layout(const std::filesystem::path& pin_dir);
/// Whether a layout was never in force: it is marked so, or `older` alone has anything attached.
bool was_never_in_force(const std::filesystem::path& dir, const std::filesystem::path* older);

/// Where a layout describes itself.
std::filesystem::path description_of(const std::filesystem::path& dir);
/// Pins `types` beside our maps, where they are not yet.
Result<void> describe_layout(const std::filesystem::path& pin_dir, const btf& types);

/// Which maps are copied.
enum class Written : std::uint8_t {
  kByAgent,     ///< and what is counted: they have their final content before the agent starts
  kByDatapath,  ///< over what is there
  kSince,       ///< flows and what belongs to them, where there is no such entry yet
};

/// Copies entries from the layout in `dir` to ours; returns how many. A map that only one of them
/// has is left out. Fails where the layout does not describe itself.
Result<std::uint64_t> copy_layout(const std::filesystem::path& dir,
                                  const std::filesystem::path& pin_dir, const btf& types,
                                  Written which);

/// Copies what was written since, and removes the pins of `dir` where none of its links is attached
/// any more. False where one is: it stays.
Result<bool> leave_layout(const std::filesystem::path& dir, const std::filesystem::path& pin_dir,
                          const btf& types);
/// Whether anything is pinned in its folder of links.
bool has_links(const std::filesystem::path& dir);

}  // namespace flare
