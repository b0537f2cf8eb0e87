#include "eval/fleet/cluster.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "common/random.h"

namespace flare::eval {

using enum FleetEventKind;

Cluster::Cluster(const ClusterConfig& config, int pods, int pods_min, std::uint64_t seed,
                 std::int64_t start_ns)
    : config_(config),
      nodes_min_((pods_min + config.pods_per_node - 1) / config.pods_per_node),
      seed_(seed) {
  for (int made = 0; made < pods; ++made) {
    if (made % config_.pods_per_node == 0) {
      nodes_.push_back({++last_node_, Node::State::kUp, std::nullopt});
    }
    const std::int64_t long_since = start_ns - 3600 * kSecondNs;
    pods_.push_back({++last_pod_, last_node_, Pod::State::kReady, long_since});
  }
}

int Cluster::pods_ready() const {
  return static_cast<int>(std::ranges::count(pods_, Pod::State::kReady, &Pod::state));
}

int Cluster::pods_wanted() const {
  const auto draining = std::ranges::count(pods_, Pod::State::kDraining, &Pod::state);
  return static_cast<int>(static_cast<std::ptrdiff_t>(pods_.size()) - draining);
}

std::vector<FleetEvent> Cluster::take_events() { return std::exchange(events_, {}); }

void Cluster::emit(std::int64_t now_ns, FleetEventKind kind, std::uint32_t node,
                   std::uint32_t pod) {
  events_.push_back({now_ns, kind, node, pod});
}

int Cluster::held_by(std::uint32_t node) const {
  return static_cast<int>(std::ranges::count(pods_, node, &Pod::node));
}

int Cluster::active_on(std::uint32_t node) const {
  return static_cast<int>(std::ranges::count_if(pods_, [&](const Pod& pod) {
    return pod.node == node && pod.state != Pod::State::kDraining;
  }));
}

Pod* Cluster::pod_of(std::uint32_t id) {
  const auto found = std::ranges::find(pods_, id, &Pod::id);
  return found == pods_.end() ? nullptr : &*found;
}

Node* Cluster::node_of(std::uint32_t id) {
  const auto found = std::ranges::find(nodes_, id, &Node::id);
  return found == nodes_.end() ? nullptr : &*found;
}

/// The node with the most room, the oldest of several; none where all are full.
Node* Cluster::roomiest() {
  Node* best = nullptr;
  int fewest = config_.pods_per_node;
  for (Node& node : nodes_) {
    if (node.state != Node::State::kUp) continue;
    const int held = held_by(node.id);
    if (held < fewest) {
      fewest = held;
      best = &node;
    }
  }
  return best;
}

void Cluster::add_pod() { pods_.push_back({++last_pod_, 0, Pod::State::kPending, 0}); }

void Cluster::place(std::int64_t now_ns) {
  for (Pod& pod : pods_) {
    if (pod.state != Pod::State::kPending) continue;
    const Node* node = roomiest();
    if (node == nullptr) return;
    pod.node = node->id;
    pod.state = Pod::State::kStarting;
    pod.ready_ns = now_ns + config_.pod_start_ns;
    due_.insert({pod.ready_ns, {End::kStart, pod.id}});
    emit(now_ns, kPodStarting, pod.node, pod.id);
  }
}

void Cluster::drain(std::int64_t now_ns, Pod& pod) {
  pod.state = Pod::State::kDraining;
  due_.insert({now_ns + config_.pod_drain_ns, {End::kDrain, pod.id}});
  emit(now_ns, kPodDraining, pod.node, pod.id);
}

/// The order is that of Kubernetes' ActivePodsWithRanks.
void Cluster::remove_one(std::int64_t now_ns) {
  const auto rank = [&](const Pod& pod) {
    return std::tuple(pod.state == Pod::State::kDraining, pod.state != Pod::State::kPending,
                      pod.state == Pod::State::kReady, -active_on(pod.node), -pod.ready_ns,
                      -static_cast<std::int64_t>(pod.id));
  };
  const auto victim = std::ranges::min_element(
      pods_, [&](const Pod& left, const Pod& right) { return rank(left) < rank(right); });
  if (victim->state == Pod::State::kPending) {
    pods_.erase(victim);
  } else {
    drain(now_ns, *victim);
  }
}

void Cluster::scale_to(std::int64_t now_ns, int pods) {
  for (int more = pods - pods_wanted(); more > 0; --more) add_pod();
  for (int fewer = pods_wanted() - pods; fewer > 0; --fewer) remove_one(now_ns);
  place(now_ns);
}

void Cluster::scan(std::int64_t now_ns) {
  request_nodes(now_ns);
  note_unneeded(now_ns);
  remove_nodes(now_ns);
}

/// Nodes for the pods that neither a node nor one that is on its way has room for.
void Cluster::request_nodes(std::int64_t now_ns) {
  const auto pending = std::ranges::count(pods_, Pod::State::kPending, &Pod::state);
  const auto coming = std::ranges::count(nodes_, Node::State::kRequested, &Node::state);
  const auto room = coming * config_.pods_per_node;
  for (auto left = pending - room; left > 0; left -= config_.pods_per_node) {
    nodes_.push_back({++last_node_, Node::State::kRequested, std::nullopt});
    due_.insert({now_ns + config_.request_delay_ns, {End::kRequest, last_node_}});
    added_ns_ = now_ns;
  }
}

/// A node is unneeded where its pods request little and have room on nodes that are needed.
void Cluster::note_unneeded(std::int64_t now_ns) {
  std::vector<Node*> up;
  int room = 0;
  for (Node& node : nodes_) {
    if (node.state != Node::State::kUp) continue;
    up.push_back(&node);
    room += config_.pods_per_node - held_by(node.id);
  }
  // Empty ones first; of others the youngest first.
  std::ranges::sort(up, [&](const Node* left, const Node* right) {
    return std::tuple(active_on(left->id), right->id) < std::tuple(active_on(right->id), left->id);
  });
  for (Node* node : up) {
    const int pods = active_on(node->id);
    const int own_room = config_.pods_per_node - held_by(node->id);
    const bool fits = pods == 0 || room - own_room >= pods;
    if (pods * config_.pod_request < config_.unneeded_below && fits) {
      node->unneeded_ns = node->unneeded_ns.value_or(now_ns);
      room -= own_room + pods;
    } else {
      node->unneeded_ns.reset();
    }
  }
}

void Cluster::remove_nodes(std::int64_t now_ns) {
  if (added_ns_ && now_ns < *added_ns_ + config_.delay_after_add_ns) return;
  const auto up = std::ranges::count(nodes_, Node::State::kUp, &Node::state);
  auto may_go = up - nodes_min_;
  std::vector<std::uint32_t> empty;
  std::vector<std::uint32_t> others;
  for (const Node& node : nodes_) {
    if (node.state != Node::State::kUp || !node.unneeded_ns) continue;
    if (now_ns < *node.unneeded_ns + config_.unneeded_ns) continue;
    (held_by(node.id) == 0 ? empty : others).push_back(node.id);
  }
  if (empty.size() > static_cast<std::size_t>(config_.empty_at_once)) {
    empty.resize(static_cast<std::size_t>(config_.empty_at_once));
  }
  if (empty.empty() && !others.empty()) empty.push_back(others.back());
  for (const std::uint32_t id : empty) {
    if (may_go-- <= 0) return;
    leave(now_ns, *node_of(id));
  }
}

/// Its pods are made anew elsewhere.
void Cluster::leave(std::int64_t now_ns, Node& node) {
  node.state = Node::State::kLeaving;
  const std::uint32_t id = node.id;
  int moved = 0;
  for (Pod& pod : pods_) {
    if (pod.node != id || pod.state == Pod::State::kDraining) continue;
    drain(now_ns, pod);
    ++moved;
  }
  for (; moved > 0; --moved) add_pod();
  place(now_ns);
  leave_if_empty(now_ns, id);
}

void Cluster::leave_if_empty(std::int64_t now_ns, std::uint32_t node) {
  const Node* known = node_of(node);
  if (known == nullptr || known->state != Node::State::kLeaving || held_by(node) > 0) return;
  emit(now_ns, kNodeGone, node);
  std::erase_if(nodes_, [&](const Node& other) { return other.id == node; });
}

std::int64_t Cluster::next_due_ns() const { return due_.empty() ? INT64_MAX : due_.begin()->first; }

void Cluster::advance() {
  if (due_.empty()) return;
  const std::int64_t now_ns = due_.begin()->first;
  const Due due = due_.begin()->second;
  due_.erase(due_.begin());
  if (due.end == End::kRequest) {
    const double part = lab::random_of(seed_, due.id).uniform();
    const double boot_ns = static_cast<double>(config_.boot_min_ns) +
                           part * static_cast<double>(config_.boot_max_ns - config_.boot_min_ns);
    emit(now_ns, kNodeRequested, due.id);
    due_.insert({now_ns + static_cast<std::int64_t>(boot_ns), {End::kBoot, due.id}});
  } else if (due.end == End::kBoot) {
    node_of(due.id)->state = Node::State::kUp;
    emit(now_ns, kNodeUp, due.id);
    place(now_ns);
  } else if (due.end == End::kStart) {
    Pod* pod = pod_of(due.id);
    if (pod == nullptr || pod->state != Pod::State::kStarting) return;
    pod->state = Pod::State::kReady;
    emit(now_ns, kPodReady, pod->node, pod->id);
  } else {
    const std::uint32_t node = pod_of(due.id)->node;
    std::erase_if(pods_, [&](const Pod& pod) { return pod.id == due.id; });
    emit(now_ns, kPodGone, node, due.id);
    leave_if_empty(now_ns, node);
    place(now_ns);
  }
}

}  // namespace flare::eval
