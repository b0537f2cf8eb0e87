// Connections that are held open, each with the tag of the server that greeted it.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "model/address.h"

namespace flare::test {

/// By the tag of the server that a flow began with.
using Tally = std::map<char, std::size_t>;
std::size_t total(const Tally& tally);

/// What became of the flows since the last time.
struct Round {
  std::size_t answered = 0;
  Tally moved;   ///< answered by another server
  Tally broken;  ///< reset or closed
  Tally silent;  ///< neither, by now
};

class HeldFlows {
 public:
  HeldFlows(std::string network_namespace, const Endpoint& endpoint)
      : network_namespace_(std::move(network_namespace)), endpoint_(endpoint) {}

  /// Opens flows until there are `count`. Throws where one cannot be opened.
  void fill_up(std::size_t count);
  /// Opens `count` more, and ends as many of the oldest: who greeted the new ones, '-' for nobody
  /// within two seconds.
  Tally renew(std::size_t count);

  /// Sends a byte on each flow, in any order, and waits for all that is owed. Flows that broke or
  /// moved are let go; silent ones still owe.
  Round check(double seconds);

  std::size_t size() const { return flows_.size(); }
  std::size_t of(char tag) const;

 private:
  struct Flow {
    UniqueFd fd;
    char tag = '-';
    std::size_t owed = 0;  ///< bytes sent and not answered
    bool moved = false, broken = false;
  };
  std::vector<Flow> dial(std::size_t count) const;
  static void receive(Flow& flow);

  std::string network_namespace_;
  Endpoint endpoint_;
  std::vector<Flow> flows_;
  std::minstd_rand random_;
};

}  // namespace flare::test
