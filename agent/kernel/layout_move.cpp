#include "kernel/layout_move.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <linux/bpf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernel/cgroup_links.h"
#include "kernel/layout_plan.h"
#include "kernel/libbpf_options.h"
#include "kernel/links.h"
#include "kernel/pin_dir.h"
#include "kernel/privilege.h"

namespace flare {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDescription = "layout";
constexpr const char* kUnfinished = "unfinished";
constexpr std::uint32_t kRoom = 1024;  ///< entries read at once

struct FreeTypes {
  void operator()(btf* types) const { btf__free(types); }
};
using Types = std::unique_ptr<btf, FreeTypes>;

/// In an order that lets nothing refer to what is not there yet.
std::vector<std::string> maps_of(Written which) {
  switch (which) {
    case Written::kByAgent:
      return {"settings",   "services",         "backends",         "service_info",
              "interfaces", "chain_sources",    "spill_events",     "heartbeat",
              "admission",  "service_counters", "backend_counters", "reason_counters",
              "latencies",  "backend_loads"};
    case Written::kByDatapath:
      return {"turns",     "http2",    "shifts", "affinities",
              "fragments", "vm_flows", "flows",  "embryos"};
    case Written::kSince:
      return {"shifts", "affinities", "flows", "embryos"};
  }
  return {};
}

bool is_there(const fs::path& path) { return ::access(path.c_str(), F_OK) == 0; }

Error undescribed(const fs::path& dir) {
  return Error("the datapath under " + dir.string() +
               " is attached and does not describe its layout: its own flared can replace it, or "
               "this one after flarectl detach --yes of that version (spilled flows break)");
}

Result<Types> types_of(const fs::path& dir) {
  auto map = MapHandle::open(dir / kDescription, Access::kRead);
  if (!map) return undescribed(dir);
  std::vector<std::byte> raw(map->value_size());
  const std::uint32_t first = 0;
  if (!map->lookup(&first, raw.data()))
    return Error("cannot read " + (dir / kDescription).string());
  Types types(btf__new(raw.data(), static_cast<__u32>(raw.size())));
  if (!types) return Error::from_errno("cannot understand " + (dir / kDescription).string(), errno);
  return types;
}

bool is_empty(std::span<const std::byte> record) {
  return std::all_of(record.begin(), record.end(),
                     [](std::byte one) { return one == std::byte{0}; });
}

/// Copies one map. Holds references only; lives for one call.
class MapCopy {
 public:
  MapCopy(const MapHandle& from, const MapHandle& to, const MapPlan& plan, Written which)
      : from_(from), to_(to), plan_(plan), which_(which) {}

  Result<std::uint64_t> run();

 private:
  Result<void> copy(std::span<const std::byte> key, std::span<const std::byte> value);

  const MapHandle& from_;
  const MapHandle& to_;
  const MapPlan& plan_;
  Written which_;
  std::uint64_t copied_ = 0;
};

Result<void> MapCopy::copy(std::span<const std::byte> key, std::span<const std::byte> value) {
  // An array has every entry; what is 0 there is 0 here.
  if (from_.is_array() && is_empty(value)) return {};
  const auto fresh_key = plan_.key.apply(key);
  const auto fresh_value = plan_.value.apply(value);
  const bool only_new = which_ == Written::kSince;
  const __u64 mode = only_new ? BPF_NOEXIST : BPF_ANY;
  if (bpf_map_update_elem(to_.fd(), fresh_key.data(), fresh_value.data(), mode) == 0) {
    ++copied_;
    return {};
  }
  const bool full = errno == E2BIG || errno == ENOMEM;
  if (only_new && (errno == EEXIST || full)) return {};
  return refused("cannot copy to map '" + to_.name() + "'", errno, "root");
}

Result<std::uint64_t> MapCopy::run() {
  std::uint32_t room = kRoom;
  std::vector<std::byte> cursor(std::max<std::size_t>(from_.key_size(), 8));
  bool first = true;
  bool last = false;
  while (!last) {
    std::vector<std::byte> keys(std::size_t{room} * from_.key_size());
    std::vector<std::byte> values(std::size_t{room} * from_.value_size());
    auto count = from_.lookup_batch(first, cursor.data(), keys.data(), values.data(), room, &last);
    if (!count) return count.error();
    const bool too_small = *count == 0 && !last;
    if (too_small) {
      room *= 2;
      continue;
    }
    first = false;
    for (std::size_t i = 0; i < *count; ++i) {
      auto done = copy({&keys[i * from_.key_size()], from_.key_size()},
                       {&values[i * from_.value_size()], from_.value_size()});
      if (!done) return done.error();
    }
  }
  return copied_;
}

/// Whether a map's record means the same there and here: an index into an array that has another
/// size may mean something else.
Result<bool> may_copy(const MapHandle& from, const MapHandle& to, const MapPlan& plan) {
  if (from.type() != to.type()) return false;
  if (from.is_array() && from.max_entries() != to.max_entries()) return false;
  if (from.key_size() != plan.key.old_bytes || from.value_size() != plan.value.old_bytes) {
    return Error("map '" + from.name() + "' is not as its layout says");
  }
  return true;
}

Result<void> remove_pin(const fs::path& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  return refused("cannot unpin " + path.string(), errno, "root");
}

/// Whether a link is attached; those whose device is gone are removed.
Result<bool> is_attached(const LinkPins& links) {
  for (const LinkPins::Name& name : links.list()) {
    auto link = links.open(name);
    if (!link) return link.error();
    if (!*link) continue;
    auto facts = link_facts((*link)->get());
    if (!facts) return facts.error();
    if (facts->ifindex != 0) return true;
    auto removed = links.remove(name);
    if (!removed) return removed.error();
  }
  return false;
}

/// Whether the agent of this layout noted an interface, which it may be on by a filter without a
/// pin.
bool has_interfaces(const fs::path& dir) {
  auto map = MapHandle::open(dir / "interfaces", Access::kRead);
  if (!map) return false;
  std::vector<std::byte> first(map->key_size());
  return bpf_map_get_next_key(map->fd(), nullptr, first.data()) == 0;
}

/// Its cgroups' links are of cgroups that our configuration does not have.
Result<void> remove_layout(const fs::path& dir) {
  const CgroupLinks cgroups(dir / "links");
  for (const fs::path& cgroup : cgroups.list()) {
    auto removed = cgroups.remove(cgroup);
    if (!removed) return removed.error();
  }
  for (const std::string& name : pinned_names(dir)) {
    auto removed = remove_pin(dir / name);
    if (!removed) return removed.error();
  }
  for (const fs::path& folder : {dir / kUnfinished, dir / "links", dir}) {
    if (::rmdir(folder.c_str()) == 0 || errno == ENOENT || errno == ENOTEMPTY) continue;
    return refused("cannot remove " + folder.string(), errno, "root");
  }
  return {};
}

}  // namespace

Result<void> begin_layout(const fs::path& pin_dir) {
  const fs::path mark = layout_dir(pin_dir) / kUnfinished;
  if (::mkdir(mark.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return refused("cannot make " + mark.string(), errno, "root");
}

Result<void> complete_layout(const fs::path& pin_dir) {
  const fs::path mark = layout_dir(pin_dir) / kUnfinished;
  if (::rmdir(mark.c_str()) == 0 || errno == ENOENT) return {};
  return refused("cannot remove " + mark.string(), errno, "root");
}

fs::path description_of(const fs::path& dir) { return dir / kDescription; }

Result<std::optional<fs::path>> find_older_layout(const fs::path& pin_dir) {
  std::optional<fs::path> older;
  for (const fs::path& other : layouts_beside(layout_dir(pin_dir))) {
    const bool described = is_there(description_of(other));
    if (!described && (has_links(other) || has_interfaces(other))) return undescribed(other);
    if (!described || was_never_in_force(other, nullptr)) {
      auto removed = remove_layout(other);
      if (!removed) return removed.error();
      continue;
    }
    if (older) {
      return Error("there are two other layouts, " + older->string() + " and " + other.string() +
                   ": remove one (flarectl detach --yes of its version)");
    }
    older = other;
  }
  return older;
}

bool has_links(const fs::path& dir) {
  std::error_code failed;
  return fs::directory_iterator(dir / "links", failed) != fs::directory_iterator();
}

bool was_never_in_force(const fs::path& dir, const fs::path* older) {
  if (has_links(dir)) return false;
  return is_there(dir / kUnfinished) || (older != nullptr && has_links(*older));
}

Result<void> describe_layout(const fs::path& pin_dir, const btf& types) {
  const fs::path path = layout_dir(pin_dir) / kDescription;
  if (is_there(path)) return {};
  __u32 size = 0;
  const void* raw = btf__raw_data(&types, &size);
  if (raw == nullptr) return Error("cannot read the type information of the BPF object");
  struct bpf_map_create_opts opts;
  reset_libbpf_options(opts);
  const UniqueFd map(
      bpf_map_create(BPF_MAP_TYPE_ARRAY, "flare_layout", sizeof(__u32), size, 1, &opts));
  const __u32 first = 0;
  if (!map || bpf_map_update_elem(map.get(), &first, raw, BPF_ANY) != 0 ||
      bpf_obj_pin(map.get(), path.c_str()) != 0) {
    return refused("cannot pin " + path.string(), errno, "CAP_BPF");
  }
  return {};
}

Result<std::uint64_t> copy_layout(const fs::path& dir, const fs::path& pin_dir, const btf& types,
                                  Written which) {
  auto old_types = types_of(dir);
  if (!old_types) return old_types.error();
  std::uint64_t copied = 0;
  for (const std::string& name : maps_of(which)) {
    auto plan = plan_map(**old_types, types, name);
    if (!plan || !is_there(dir / name)) continue;
    auto from = MapHandle::open(dir / name, Access::kRead);
    if (!from) return from.error();
    auto to = MapHandle::open(layout_dir(pin_dir) / name, Access::kReadWrite);
    if (!to) return to.error();
    auto may = may_copy(*from, *to, *plan);
    if (!may) return may.error();
    if (!*may) continue;
    auto entries = MapCopy(*from, *to, *plan, which).run();
    if (!entries) return entries.error();
    copied += *entries;
  }
  return copied;
}

Result<bool> leave_layout(const fs::path& dir, const fs::path& pin_dir, const btf& types) {
  auto attached = is_attached(LinkPins(dir / "links"));
  if (!attached) return attached.error();
  if (*attached) return false;
  auto copied = copy_layout(dir, pin_dir, types, Written::kSince);
  if (!copied) return copied.error();
  auto removed = remove_layout(dir);
  if (!removed) return removed.error();
  return true;
}

}  // namespace flare
