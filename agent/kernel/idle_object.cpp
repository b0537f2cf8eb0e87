#include "kernel/idle_object.h"

#include <bpf/libbpf.h>
#include <unistd.h>

namespace flare {

Result<IdleBounds> adopt_idle_bounds(const bpf_map* map) {
  auto handle = MapHandle::adopt(UniqueFd(::dup(bpf_map__fd(map))), "idle_bounds");
  if (!handle) return handle.error();
  return IdleBounds::adopt(*std::move(handle));
}

}  // namespace flare
