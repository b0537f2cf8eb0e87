// Nodes and pods: the scheduler, what a ReplicaSet removes first, and the cluster autoscaler.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "eval/fleet/config.h"
#include "eval/fleet/events.h"

namespace flare::eval {

struct Pod {
  enum class State : std::uint8_t { kPending, kStarting, kReady, kDraining };
  std::uint32_t id = 0;
  std::uint32_t node = 0;  ///< 0: no node has room for it
  State state = State::kPending;
  std::int64_t ready_ns = 0;  ///< when it became ready, or will
};

struct Node {
  enum class State : std::uint8_t { kRequested, kUp, kLeaving };
  std::uint32_t id = 0;
  State state = State::kRequested;
  std::optional<std::int64_t> unneeded_ns;  ///< since when, without a break
};

/// Knows no metric: it is told how many pods there shall be. Boot times belong to the seed and the
/// node's number, so that policies that ask for the same nodes get the same ones.
class Cluster {
 public:
  /// `pods` are ready at `start_ns`, since long before.
  Cluster(const ClusterConfig& config, int pods, int pods_min, std::uint64_t seed,
          std::int64_t start_ns);

  /// What the ReplicaSet does: makes pods, or removes those that are not ready first, then those on
  /// the fullest node, then the youngest.
  void scale_to(std::int64_t now_ns, int pods);
  /// One look of the cluster autoscaler.
  void scan(std::int64_t now_ns);

  /// The next moment at which something ends by itself; INT64_MAX: nothing is under way.
  std::int64_t next_due_ns() const;
  /// Lets end what is due at next_due_ns().
  void advance();

  const std::vector<Pod>& pods() const { return pods_; }
  const std::vector<Node>& nodes() const { return nodes_; }
  int pods_ready() const;
  int pods_wanted() const;  ///< all but the draining ones
  std::vector<FleetEvent> take_events();

 private:
  enum class End : std::uint8_t { kRequest, kBoot, kStart, kDrain };
  struct Due {
    End end;
    std::uint32_t id;
  };

  void emit(std::int64_t now_ns, FleetEventKind kind, std::uint32_t node, std::uint32_t pod = 0);
  void add_pod();
  void place(std::int64_t now_ns);
  void drain(std::int64_t now_ns, Pod& pod);
  void remove_one(std::int64_t now_ns);
  void request_nodes(std::int64_t now_ns);
  void note_unneeded(std::int64_t now_ns);
  void remove_nodes(std::int64_t now_ns);
  void leave(std::int64_t now_ns, Node& node);
  void leave_if_empty(std::int64_t now_ns, std::uint32_t node);
  Node* roomiest();
  int held_by(std::uint32_t node) const;    ///< pods, draining ones too: they hold their place
  int active_on(std::uint32_t node) const;  ///< pods that are to stay
  Pod* pod_of(std::uint32_t id);
  Node* node_of(std::uint32_t id);

  ClusterConfig config_;
  int nodes_min_;
  std::uint64_t seed_;
  std::vector<Pod> pods_;
  std::vector<Node> nodes_;
  std::uint32_t last_pod_ = 0;
  std::uint32_t last_node_ = 0;
  std::optional<std::int64_t> added_ns_;  ///< when nodes were last asked for
  std::multimap<std::int64_t, Due> due_;
  std::vector<FleetEvent> events_;
};

}  // namespace flare::eval
