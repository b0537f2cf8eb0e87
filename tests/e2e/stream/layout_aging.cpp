#include "e2e/stream/layout_aging.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <linux/bpf.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "flare/abi.h"
#include "kernel/libbpf_options.h"
#include "kernel/typed_map.h"

namespace flare::test {
namespace {

namespace fs = std::filesystem;

void check(bool done, const std::string& what) {
  if (!done) throw std::runtime_error(what + ": " + std::strerror(errno));
}

/// A fresh map in place of the one at `pin`.
UniqueFd replace_map(const fs::path& pin, bpf_map_type type, std::uint32_t key, std::uint32_t value,
                     std::uint32_t entries, std::uint32_t flags) {
  struct bpf_map_create_opts opts;
  reset_libbpf_options(opts);
  opts.map_flags = flags;
  UniqueFd map(bpf_map_create(type, "aged", key, value, entries, &opts));
  check(static_cast<bool>(map), "cannot make a map");
  check(::unlink(pin.c_str()) == 0, "cannot unpin " + pin.string());
  check(bpf_obj_pin(map.get(), pin.c_str()) == 0, "cannot pin " + pin.string());
  return map;
}

void swap_members(btf& types, const char* record, const char* one, const char* other) {
  const auto id = btf__find_by_name_kind(&types, record, BTF_KIND_STRUCT);
  check(id > 0, std::string("no ") + record);
  const btf_type* type = btf__type_by_id(&types, static_cast<__u32>(id));
  std::array<btf_member*, 2> found{};
  for (std::uint32_t i = 0; i < btf_vlen(type); ++i) {
    btf_member& member = btf_members(type)[i];
    const std::string name = btf__name_by_offset(&types, member.name_off);
    if (name == one) found[0] = &member;
    if (name == other) found[1] = &member;
  }
  check(found[0] != nullptr && found[1] != nullptr, "no such members");
  std::swap(found[0]->offset, found[1]->offset);
}

void age_description(const fs::path& pin) {
  std::vector<char> raw;
  {
    auto map = MapHandle::open(pin, Access::kRead);
    check(static_cast<bool>(map), "no description");
    raw.resize(map->value_size());
    const std::uint32_t first = 0;
    check(map->lookup(&first, raw.data()), "no description");
  }
  const std::unique_ptr<btf, void (*)(btf*)> types(
      btf__new(raw.data(), static_cast<__u32>(raw.size())), btf__free);
  check(types != nullptr, "cannot read a description");
  swap_members(*types, "flare_flow", "service_id", "backend_id");
  swap_members(*types, "flare_flow", "created_ns", "seen_ns");
  __u32 size = 0;
  const void* aged = btf__raw_data(types.get(), &size);
  const auto map = replace_map(pin, BPF_MAP_TYPE_ARRAY, sizeof(__u32), size, 1, 0);
  const __u32 first = 0;
  check(bpf_map_update_elem(map.get(), &first, aged, BPF_ANY) == 0, "cannot write a description");
}

void age_flows(const fs::path& pin) {
  auto flows = TypedMap<flare_flow_key, flare_flow>::open(pin, Access::kRead);
  check(static_cast<bool>(flows), "no flows");
  const auto aged = replace_map(pin, BPF_MAP_TYPE_HASH, sizeof(flare_flow_key), sizeof(flare_flow),
                                flows->max_entries(), BPF_F_NO_PREALLOC);
  auto walked = flows->for_each([&aged](const flare_flow_key& key, flare_flow flow) {
    std::swap(flow.service_id, flow.backend_id);
    std::swap(flow.created_ns, flow.seen_ns);
    check(bpf_map_update_elem(aged.get(), &key, &flow, BPF_ANY) == 0, "cannot age a flow");
  });
  check(static_cast<bool>(walked), "cannot walk the flows");
}

}  // namespace

fs::path age_layout(const fs::path& pin_dir) {
  const fs::path now = pin_dir / ("v" + std::to_string(FLARE_ABI_VERSION));
  fs::path aged = pin_dir / ("v" + std::to_string(FLARE_ABI_VERSION - 1));
  fs::rename(now, aged);
  age_description(aged / "layout");
  age_flows(aged / "flows");
  return aged;
}

}  // namespace flare::test
