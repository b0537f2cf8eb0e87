// What a loaded Datapath holds: private to the .cpp files of datapath.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/unique_fd.h"
#include "flare_tc.skel.h"
#include "flare_xdp.skel.h"
#include "kernel/datapath.h"
#include "kernel/links.h"

namespace flare {

struct DestroyXdp {
  void operator()(flare_xdp* skeleton) const { flare_xdp::destroy(skeleton); }
};
struct DestroyTc {
  void operator()(flare_tc* skeleton) const { flare_tc::destroy(skeleton); }
};

/// How many entries a map has, where the configuration decides it.
struct MapSize {
  const char* name;
  std::uint64_t entries;
  const char* limit;        ///< the configuration's word for it
  std::uint64_t per_limit;  ///< entries for each unit of the limit
};
using MapSizes = std::vector<MapSize>;

struct Datapath::State {
  static Result<std::unique_ptr<State>> load(const LoadOptions& options, const MapSizes& sizes);

  std::filesystem::path pin_dir;
  bool adopted = false;
  std::unique_ptr<flare_xdp, DestroyXdp> xdp;
  std::unique_ptr<flare_tc, DestroyTc> tc;
  Maps maps;
  LinkPins pins;
  // Kept open for life: if somebody unmounts bpffs, a link that nobody holds would detach.
  std::map<std::pair<std::uint32_t, HookPoint>, UniqueFd> links;
  // The layout whose place ours takes, until nothing of it is attached; and whether ours has all
  // that its datapath wrote (layout_move.h).
  std::optional<std::filesystem::path> older = {};
  bool is_whole = true;
};

}  // namespace flare
