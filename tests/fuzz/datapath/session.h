// Frames run through the programs of one device, one after the other, and what became of them.
#pragma once

#include <functional>

#include "datapath/rules.h"
#include "datapath/world.h"

namespace flare::fuzz {

class Session : public Ground {
 public:
  /// `xdp`: the device has an XDP program and its companion, else tc alone.
  explicit Session(bool xdp) : xdp_(xdp) {}

  void begin(Input& input) { world_.build(input); }
  World& world() { return world_; }
  /// From here on frames come whole and plain (no offload, no metadata), and `look` sees what
  /// became of each at each hook.
  using Look = std::function<void(flare_hook, const Frame& arrived, std::uint8_t how, const Left&)>;
  void watch(Look look) { look_ = std::move(look); }
  /// Runs a frame through the hooks that it meets; each of them is judged. Returns the last one's.
  Left run(const Frame& frame, std::uint8_t how, std::uint8_t split);
  flare_flow* flow_of(const flare_flow_key& key);

  std::optional<flare_flow> find_flow(const flare_flow_key& key) override;
  bool moves() override { return world_.moves(); }
  bool evicts() override { return maps().evictions() != 0; }

 private:
  Left run_hook(flare_hook hook, const Frame& frame, std::uint8_t how, std::uint8_t split);
  Arrived arrive(flare_hook hook, const Frame& frame, std::uint8_t how);
  int call(flare_hook hook, std::uint8_t how);

  bool xdp_;
  World world_;
  Look look_;
};

}  // namespace flare::fuzz
