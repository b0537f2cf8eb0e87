#include "eval/sim/pod_tier.h"

#include "select.bpf.h"

namespace flare::eval {

PodTier::PodTier(const MachineConfig& config) : config_(config) {
  for (int pod = 1; pod <= config_.pods; ++pod) open_pod(static_cast<std::uint32_t>(pod));
}

void PodTier::open_pod(std::uint32_t id) {
  open_.push_back(static_cast<std::uint32_t>(pods_.size()));
  pods_.emplace_back(id, config_.slots);
}

void PodTier::close_pod(std::uint32_t id) {
  std::erase_if(open_, [&](std::uint32_t index) { return pods_[index].id() == id; });
}

bool PodTier::is_open(std::uint32_t index) const {
  return std::find(open_.begin(), open_.end(), index) != open_.end();
}

/// Equal weights, so the slots of the datapath's table are spread evenly over the pods.
std::uint32_t PodTier::choose(std::uint64_t hash) const {
  const auto count = static_cast<std::uint32_t>(open_.size());
  const std::uint32_t one = open_[slot_of(hash, count)];
  if (!config_.least) return one;
  const std::uint32_t other = open_[slot_of(second_hash(hash), count)];
  return load_is_less(pods_[other].in_flight, 1, pods_[one].in_flight, 1) ? other : one;
}

std::int64_t PodTier::work_ns(std::uint64_t base_ns, std::int64_t now_ns) const {
  const Slowness& slow = config_.slow;
  const bool is_slow = now_ns >= slow.from_ns && now_ns < slow.to_ns;
  const double work = static_cast<double>(base_ns) * (is_slow ? slow.factor : 1);
  return static_cast<std::int64_t>(work);
}

}  // namespace flare::eval
