#include "kernel/shared_maps.h"

#include <bpf/libbpf.h>

#include <algorithm>
#include <string>
#include <vector>

#include "kernel/map_handle.h"
#include "kernel/pin_dir.h"

namespace flare {

Result<void> adopt_maps(bpf_object* object, const std::filesystem::path& dir) {
  const std::vector<std::string>& pinned = map_names();
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    const std::string name = bpf_map__name(map);
    if (std::find(pinned.begin(), pinned.end(), name) == pinned.end()) continue;
    auto handle = MapHandle::open(dir / name, Access::kReadWrite);
    if (!handle) return handle.error();
    // Without a path libbpf neither looks for a pin elsewhere nor makes one.
    int failed = bpf_map__set_pin_path(map, nullptr);
    if (failed == 0) failed = bpf_map__reuse_fd(map, handle->fd());
    if (failed != 0) return Error::from_errno("cannot use map '" + name + "'", -failed);
  }
  return {};
}

}  // namespace flare
