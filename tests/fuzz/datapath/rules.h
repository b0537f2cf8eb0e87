// The oracle: what holds for every packet, whatever it is and whatever came before.
//
// 1. The verdict is one of ours, never "aborted", and the one that the counted reason stands for.
// 2. Each hook counts exactly one reason.
// 3. What is neither for a service nor of a flow passes as it came, and makes no entry.
// 4. What is translated keeps its length and its payload, loses a hop (none where the stack counts
//    it), has its sums as right or as wrong as they were, and the maps hold the way back. Answers
//    go to the sender and their sums are right.
// 5. What is malformed is dropped at a balancer and passes as it came elsewhere.
//
// The fuzz targets judge the datapath in user space, tests/support the kernel's.
#pragma once

#include <optional>
#include <stdexcept>

#include "datapath/encounter.h"

namespace flare::fuzz {

/// What the rules ask about the maps of the datapath under test, after the packet.
class Ground {
 public:
  virtual ~Ground() = default;

  /// A flow's entry, wherever it is kept.
  virtual std::optional<flare_flow> find_flow(const flare_flow_key& key) = 0;
  /// Whether open connections may be told to end: their packets are changed then.
  virtual bool moves() = 0;
  /// Whether the maps ever had to give up an entry for another one.
  virtual bool evicts() = 0;
};

/// Says which rule, and what the packet was before and after.
struct RuleBroken : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Throws RuleBroken where a rule does not hold.
void judge(Ground& ground, const Arrived& in, const Left& out);

/// Throws RuleBroken.
[[noreturn]] void broken(const char* rule, const Arrived& in, const Left& out);

}  // namespace flare::fuzz
