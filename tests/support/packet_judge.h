// The five rules of tests/fuzz/datapath/rules.h over the maps in the kernel: every packet that a
// test runs is judged by them, beside what the test itself expects.
#pragma once

#include <optional>
#include <string>

#include "datapath/rules.h"
#include "kernel/maps.h"

namespace flare::test {

class PacketJudge : public fuzz::Ground {
 public:
  explicit PacketJudge(const Maps& maps) : maps_(maps) {}

  /// Looks at a packet before it is run. Entries are counted where `counts` is set.
  void look(flare_hook hook, const fuzz::Frame& frame, bool counts);
  /// Judges what became of it. Returns the rule that was broken, and by what; empty where all hold.
  std::string verdict_on(int verdict, const fuzz::Frame& frame, unsigned reason, unsigned counted);

  std::optional<flare_flow> find_flow(const flare_flow_key& key) override;
  bool moves() override;
  bool evicts() override;

 private:
  std::uint64_t entries() const;
  std::string broken_by(const fuzz::Left& out);

  const Maps& maps_;
  fuzz::Arrived in_;
  std::optional<flare_service> service_;
  bool counts_ = true;
};

}  // namespace flare::test
