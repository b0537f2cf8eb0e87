// Loading: sizes, settings, pins, the verifier. Attaching is in datapath_attach.cpp.
#include "kernel/datapath.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "kernel/datapath_state.h"
#include "kernel/dry_run.h"
#include "kernel/layout_move.h"
#include "kernel/libbpf_options.h"
#include "kernel/privilege.h"
#include "kernel/program_info.h"

namespace flare {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLoadNeeds = "CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON";

MapSizes map_sizes(const LimitConfig& limits, std::uint32_t cpus) {
  return {
      {"services", limits.services, "limits.services", 1},
      {"service_info", limits.services, "limits.services", 1},
      {"tables", std::uint64_t{limits.services} * 2, "limits.services", 2},
      {"admission", limits.services, "limits.services", 1},
      {"latencies", std::uint64_t{limits.services} * kHistogramsOfAService, "limits.services",
       kHistogramsOfAService},
      {"backends", limits.backends, "limits.backends", 1},
      {"backend_loads", limits.backends, "limits.backends", 1},
      {"sock_loads", limits.services, "limits.services", 1},
      {"sock_backend_loads", limits.backends, "limits.backends", 1},
      {"flows", std::uint64_t{limits.flows} * 2, "limits.flows", 2},
      {"embryos", std::uint64_t{limits.embryos} * 2, "limits.embryos", 2},
      {"service_counters", std::uint64_t{limits.services} * cpus, "limits.services", cpus},
      {"backend_counters", std::uint64_t{limits.backends} * cpus, "limits.backends", cpus},
      {"reason_counters", cpus, "possible CPUs", 1},
  };
}

Result<void> check_limits(const LimitConfig& limits) {
  struct Bound {
    const char* name;
    std::uint64_t value;
    std::uint64_t max;
  };
  const std::array bounds{
      Bound{"limits.services", limits.services, FLARE_SERVICES_MAX},
      Bound{"limits.backends", limits.backends, FLARE_BACKENDS_MAX},
      Bound{"limits.flows", limits.flows, FLARE_FLOWS_MAX / 2},
      Bound{"limits.embryos", limits.embryos, FLARE_EMBRYOS_MAX / 2},
  };
  for (const Bound& bound : bounds) {
    if (bound.value >= 1 && bound.value <= bound.max) continue;
    return Error(std::string(bound.name) + " is " + std::to_string(bound.value) + ", not 1 to " +
                 std::to_string(bound.max));
  }
  return {};
}

/// Removes the map pins of a load that failed or that nothing is attached to.
void remove_pins(const fs::path& pin_dir) {
  std::error_code ignored;
  for (const std::string& name : map_names()) fs::remove(layout_dir(pin_dir) / name, ignored);
  fs::remove(description_of(layout_dir(pin_dir)), ignored);
  static_cast<void>(complete_layout(pin_dir));
}

/// Whether packets may be using the pinned maps: there is a link, or an entry in `interfaces`.
bool is_attached(const fs::path& pin_dir) {
  if (!LinkPins(links_dir(pin_dir)).list().empty()) return true;
  auto interfaces = TypedMap<std::uint32_t, flare_interface>::open(
      layout_dir(pin_dir) / "interfaces", Access::kRead);
  if (!interfaces) return false;
  auto count = interfaces->count();
  return !count || *count > 0;
}

/// The first size that the pinned maps were not made for, in words; nothing where all fit.
Result<std::optional<Error>> misfit(const fs::path& dir, const MapSizes& sizes) {
  for (const MapSize& size : sizes) {
    if (::access((dir / size.name).c_str(), F_OK) != 0)
      continue;  // another layout need not have it
    auto map = MapHandle::open(dir / size.name, Access::kRead);
    if (!map) return map.error();
    if (map->max_entries() == size.entries) continue;
    return std::optional<Error>(
        Error("the configuration says " + std::string(size.limit) + " = " +
              std::to_string(size.entries / size.per_limit) + ", but the running datapath has " +
              std::to_string(map->max_entries() / size.per_limit) +
              ": keep that figure, or remove the datapath first (flarectl detach --yes; spilled "
              "flows break)"));
  }
  return std::optional<Error>();
}

/// Finds out whether there are pinned maps to adopt. What nothing is attached to (the remains of a
/// load that was killed half-way, or maps of other sizes after a detach) is removed.
Result<bool> find_pinned(const fs::path& pin_dir, const MapSizes& sizes) {
  std::vector<std::string> pinned = pinned_names(layout_dir(pin_dir));
  std::string missing;
  std::size_t present = 0;
  for (const std::string& name : map_names()) {
    bool is_there = std::binary_search(pinned.begin(), pinned.end(), name);
    if (is_there) ++present;
    if (!is_there) missing += (missing.empty() ? "" : ", ") + name;
  }
  if (present == 0) return false;
  std::optional<Error> problem;
  if (missing.empty()) {
    auto unfit = misfit(layout_dir(pin_dir), sizes);
    if (!unfit) return unfit.error();
    if (!*unfit) return true;
    problem = **unfit;
  } else {
    problem = Error("the datapath under " + layout_dir(pin_dir).string() + " has lost pins (" +
                    missing + "): remove it and start again (flarectl detach --yes)");
  }
  if (is_attached(pin_dir)) return *problem;
  remove_pins(pin_dir);
  return false;
}

/// Before our maps are made: they must be able to hold what the older layout has.
Result<void> prepare_copy(const fs::path& older, const fs::path& pin_dir, const MapSizes& sizes) {
  auto unfit = misfit(older, sizes);
  if (!unfit) return unfit.error();
  if (*unfit) return **unfit;
  return begin_layout(pin_dir);
}

/// Fills fresh maps with what the agent of the older layout wrote.
Result<std::unique_ptr<Datapath::State>> with_older(std::unique_ptr<Datapath::State> state,
                                                    const fs::path& older) {
  auto copied =
      copy_layout(older, state->pin_dir, *bpf_object__btf(state->tc->obj), Written::kByAgent);
  if (!copied) return copied.error().within("cannot take over from " + older.string());
  return state;
}

/// Where a start before this one ended after it had taken all links.
Result<void> resume_leaving(Datapath::State& state) {
  if (!state.older || !state.is_whole || has_links(*state.older)) return {};
  auto left = leave_layout(*state.older, state.pin_dir, *bpf_object__btf(state.tc->obj));
  if (!left) return left.error();
  if (*left) state.older.reset();
  return {};
}

Result<void> set_sizes(bpf_object* object, const MapSizes& sizes) {
  for (const MapSize& size : sizes) {
    bpf_map* map = bpf_object__find_map_by_name(object, size.name);
    if (map == nullptr) return Error(std::string("the BPF object has no map '") + size.name + "'");
    int failed = bpf_map__set_max_entries(map, static_cast<__u32>(size.entries));
    if (failed != 0) {
      return Error::from_errno(std::string("cannot size map '") + size.name + "'", -failed);
    }
  }
  return {};
}

/// Which map asks for most where the kernel has no memory for all of them, and what to do.
Error out_of_memory(const bpf_object* object, const MapSizes& sizes) {
  const bpf_map* largest = nullptr;
  std::uint64_t most = 0;
  const bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    const std::uint64_t bytes = std::uint64_t{bpf_map__max_entries(map)} *
                                (bpf_map__key_size(map) + bpf_map__value_size(map));
    if (bytes > most) {
      most = bytes;
      largest = map;
    }
  }
  std::string text = "not enough memory for the maps (a limit of the cgroup counts)";
  if (largest == nullptr) return Error(text);
  const std::string name = bpf_map__name(largest);
  text += ": the largest is '" + name + "' of " + std::to_string(bpf_map__max_entries(largest)) +
          " entries, " + std::to_string(most >> 20U) + " MB and the kernel's own share";
  const auto size = std::find_if(sizes.begin(), sizes.end(),
                                 [&name](const MapSize& one) { return name == one.name; });
  if (size != sizes.end()) text += "; lower " + std::string(size->limit) + " or give more memory";
  return Error(std::move(text));
}

/// Opens one object, gives it sizes and settings and has the kernel verify it.
template <typename Skeleton, typename Destroy>
Result<std::unique_ptr<Skeleton, Destroy>> load_one(const LoadOptions& options,
                                                    const MapSizes& sizes) {
  std::string pin_root = layout_dir(options.pin_dir).string();
  struct bpf_object_open_opts open;
  reset_libbpf_options(open);
  open.pin_root_path = pin_root.c_str();
  std::unique_ptr<Skeleton, Destroy> skeleton(Skeleton::open(&open));
  if (!skeleton) return Error::from_errno("cannot read the built-in BPF object", errno);
  auto sized = set_sizes(skeleton->obj, sizes);
  if (!sized) return sized.error();
  skeleton->rodata->services_max = options.limits.services;
  skeleton->rodata->backends_max = options.limits.backends;
  int failed = Skeleton::load(skeleton.get());
  if (lacks_privilege(failed)) return refused("cannot load the BPF programs", EPERM, kLoadNeeds);
  if (failed == -ENOMEM) return out_of_memory(skeleton->obj, sizes);
  if (failed == -EMFILE) {
    return Error(
        "cannot load the BPF programs: this process may have too few files open (RLIMIT_NOFILE); "
        "1,024 are enough");
  }
  if (failed != 0) {
    return Error::from_errno(
        "the kernel's verifier refuses a BPF program (libbpf's messages hold its log)", -failed);
  }
  return skeleton;
}

}  // namespace

Datapath::Datapath(std::unique_ptr<State> state) : state_(std::move(state)) {}
Datapath::Datapath(Datapath&&) noexcept = default;
Datapath& Datapath::operator=(Datapath&&) noexcept = default;
Datapath::~Datapath() = default;

Result<Datapath> Datapath::load(const LoadOptions& options) {
  set_libbpf_sink(options.libbpf_sink);
  auto sane = check_limits(options.limits);
  if (!sane) return sane.error();
  int cpus = libbpf_num_possible_cpus();
  if (cpus <= 0) return Error::from_errno("cannot count the possible CPUs", -cpus);
  auto sizes = map_sizes(options.limits, static_cast<std::uint32_t>(cpus));
  auto made = make_pin_dirs(options.pin_dir);
  if (!made) return made.error();
  auto older = find_older_layout(options.pin_dir);
  if (!older) return older.error();
  const fs::path* in_force = *older ? &**older : nullptr;
  if (was_never_in_force(layout_dir(options.pin_dir), in_force)) remove_pins(options.pin_dir);
  auto pinned = find_pinned(options.pin_dir, sizes);
  if (!pinned) return pinned.error();
  const bool fresh_beside_older = *older && !*pinned;
  if (fresh_beside_older) {
    auto prepared = prepare_copy(**older, options.pin_dir, sizes);
    if (!prepared) return prepared.error();
  }
  auto state = State::load(options, sizes);
  if (state && fresh_beside_older) state = with_older(*std::move(state), **older);
  if (!state) {
    if (!*pinned) remove_pins(options.pin_dir);
    return state.error();
  }
  (*state)->older = *older;
  (*state)->is_whole = !fresh_beside_older;
  (*state)->adopted = *pinned || fresh_beside_older;
  auto resumed = resume_leaving(**state);
  if (!resumed) return resumed.error();
  return Datapath(*std::move(state));
}

Result<std::unique_ptr<Datapath::State>> Datapath::State::load(const LoadOptions& options,
                                                               const MapSizes& sizes) {
  auto xdp = load_one<flare_xdp, DestroyXdp>(options, sizes);
  if (!xdp) return xdp.error().within("XDP");
  auto tc = load_one<flare_tc, DestroyTc>(options, sizes);
  if (!tc) return tc.error().within("tc");
  auto described = describe_layout(options.pin_dir, *bpf_object__btf((*tc)->obj));
  if (!described) return described.error();
  auto opened = open_maps_to_group(options.pin_dir);
  if (!opened) return opened.error();
  auto maps = Maps::open(options.pin_dir, Access::kReadWrite);
  if (!maps) return maps.error();
  return std::make_unique<State>(State{options.pin_dir,
                                       false,
                                       *std::move(xdp),
                                       *std::move(tc),
                                       *std::move(maps),
                                       LinkPins(links_dir(options.pin_dir)),
                                       {}});
}

/// One pin that is missed says that all are to be looked at, so that the usual call is one stat.
Result<std::size_t> Datapath::keep_pinned() {
  const fs::path dir = layout_dir(state_->pin_dir);
  std::size_t made = 0;
  bool gone = ::access((dir / map_names().front()).c_str(), F_OK) != 0;
  for (const auto& [name, link] : state_->links) {
    gone = gone || !state_->pins.has({name.first, name.second});
  }
  if (!gone) return made;
  auto dirs = make_pin_dirs(state_->pin_dir);
  if (!dirs) return dirs.error();
  for (const std::string& name : map_names()) {
    if (::access((dir / name).c_str(), F_OK) == 0) continue;
    const bpf_map* map = bpf_object__find_map_by_name(state_->tc->obj, name.c_str());
    if (map == nullptr || bpf_obj_pin(bpf_map__fd(map), (dir / name).c_str()) != 0) {
      return refused("cannot pin map '" + name + "' again", errno, "root");
    }
    ++made;
  }
  for (const auto& [name, link] : state_->links) {
    auto kept = state_->pins.keep({name.first, name.second}, link.get());
    if (!kept) return kept.error();
    made += *kept ? 1 : 0;
  }
  auto described = describe_layout(state_->pin_dir, *bpf_object__btf(state_->tc->obj));
  if (!described) return described.error();
  auto opened = open_maps_to_group(state_->pin_dir);
  if (!opened) return opened.error();
  return made;
}

Result<void> Datapath::dry_run() const {
  for (std::uint32_t hook = 0; hook < FLARE_HOOKS_COUNT; ++hook) {
    const auto which = static_cast<flare_hook>(hook);
    auto tried = flare::dry_run(which, program_fd(which), maps());
    if (!tried) return tried;
  }
  return {};
}

const Maps& Datapath::maps() const { return state_->maps; }
bool Datapath::adopted() const { return state_->adopted; }

int Datapath::program_fd(flare_hook hook) const {
  switch (hook) {
    case FLARE_HOOK_XDP:
      return bpf_program__fd(state_->xdp->progs.flare_xdp);
    case FLARE_HOOK_TC_INGRESS:
      return bpf_program__fd(state_->tc->progs.flare_tc_ingress);
    case FLARE_HOOK_TC_COMPANION:
      return bpf_program__fd(state_->tc->progs.flare_tc_companion);
    case FLARE_HOOK_TC_EGRESS:
      return bpf_program__fd(state_->tc->progs.flare_tc_egress);
    case FLARE_HOOKS_COUNT:
      break;
  }
  return -1;
}

std::uint32_t Datapath::program_id(flare_hook hook) const {
  return program_info_of_fd(program_fd(hook)).id;
}

}  // namespace flare
