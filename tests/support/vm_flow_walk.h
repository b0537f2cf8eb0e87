// The VM tier's decisions, looked at or forgotten as a whole.
#pragma once

#include <cstdint>
#include <memory>

struct vm_flow_walk;

namespace flare::test {

class VmFlowWalk {
 public:
  /// Of the map with this descriptor. Throws where the kernel refuses.
  explicit VmFlowWalk(int map);
  ~VmFlowWalk();
  VmFlowWalk(const VmFlowWalk&) = delete;
  VmFlowWalk& operator=(const VmFlowWalk&) = delete;

  /// A number that changes with every entry.
  std::uint64_t digest();
  void forget_all();

 private:
  vm_flow_walk* skeleton_ = nullptr;
};

}  // namespace flare::test
