#include "measure.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace flare::bench {
namespace {

constexpr std::uint32_t kFloorPackets = 500'000;

/// What one case showed in all rounds.
struct Rounds {
  std::vector<double> ns, ratio, core, restore, floor, shipped;
};

class Bench {
 public:
  Bench(World& world, Programs& programs) : world_(world), programs_(programs) {}

  void round(const Case& what, Rounds& rounds, Outcome& outcome);

 private:
  double floor_of(flare_hook hook, const test::Bytes& frame) {
    std::uint32_t verdict = 0;
    return programs_.run(Program::kFloor, hook, frame, kFloorPackets, &verdict);
  }
  double checked(Program program, const Case& what, const test::Bytes& frame, Outcome& outcome);
  void count(const Case& what, const flare_reason_counters& before, Outcome& outcome) const;

  World& world_;
  Programs& programs_;
};

[[noreturn]] void run_is_void(const Case& what, const std::string& why) {
  throw std::runtime_error("the run is void: " + what.key + ": " + why);
}

bench_plan plan_of(const Case& what, const test::Bytes& frame) {
  bench_plan plan{};
  if (frame.size() != BENCH_FRAME_BYTES) throw std::runtime_error(what.key + ": frame size");
  std::memcpy(plan.frame, frame.data(), frame.size());
  plan.flow_mask = what.flows - 1;
  plan.addr_base = what.addr_base;
  plan.shape = what.shape;
  return plan;
}

/// A program that changes nothing leaves its packet as it was: it needs no restoring.
bool runs_unrestored(const Case& what) {
  return what.verdict == BENCH_PASS && (what.shape == BENCH_FIXED || what.flows == 1);
}

/// Every packet since `before` must have been counted under the case's reason and no other.
void Bench::count(const Case& what, const flare_reason_counters& before, Outcome& outcome) const {
  const flare_reason_counters after = world_.maps().reason_totals();
  for (std::uint32_t hook = 0; hook < FLARE_HOOKS_COUNT; ++hook)
    for (std::uint32_t reason = 0; reason < FLARE_REASONS_COUNT; ++reason) {
      const std::uint64_t grown = after.packets[hook][reason] - before.packets[hook][reason];
      const bool expected = hook == what.hook && reason == what.reason;
      if (grown != (expected ? what.packets : 0))
        run_is_void(what, std::to_string(grown) + " packets of " + std::to_string(what.packets) +
                              " were " + std::string(reason_word(reason)) + " at " +
                              std::string(hook_word(hook)) + ", and should have been " +
                              std::string(reason_word(what.reason)));
    }
  outcome.packets += what.packets;
}

/// One timed run of the datapath, restoring or not. Returns ns a packet.
double Bench::checked(Program program, const Case& what, const test::Bytes& frame,
                      Outcome& outcome) {
  const bool restores = program == Program::kCore;
  std::uint32_t verdict = 0;
  if (what.empty_embryos) world_.forget_embryos();
  if (restores) programs_.plan(what.hook, plan_of(what, frame));
  programs_.run(program, what.hook, frame, 1, &verdict);  // a known datagram has a first one
  if (restores) programs_.plan(what.hook, plan_of(what, frame));
  const flare_reason_counters before = world_.maps().reason_totals();
  const double ns = programs_.run(program, what.hook, frame, what.packets, &verdict);
  count(what, before, outcome);
  if (restores) {
    const bench_tally tally = programs_.tally(what.hook);
    if (tally.verdicts[what.verdict] != what.packets)
      run_is_void(what, "only " + std::to_string(tally.verdicts[what.verdict]) + " packets of " +
                            std::to_string(what.packets) + " got the right verdict");
    for (std::size_t i = 0; i < BENCH_VERDICTS; ++i) outcome.verdicts[i] += tally.verdicts[i];
  } else {
    const std::uint32_t pass = what.hook == FLARE_HOOK_XDP ? 2U /* XDP_PASS */ : ~0U /* UNSPEC */;
    if (verdict != pass) run_is_void(what, "the verdict is " + std::to_string(verdict));
    outcome.verdicts[BENCH_PASS] += what.packets;
  }
  return ns;
}

void Bench::round(const Case& what, Rounds& rounds, Outcome& outcome) {
  const test::Bytes frame = what.packet.bytes();
  if (what.hook == FLARE_HOOK_TC_EGRESS) {
    const double floor = floor_of(what.hook, frame);
    const double ns = checked(Program::kShipped, what, frame, outcome);
    rounds.floor.push_back(floor);
    rounds.ns.push_back(ns);
    rounds.ratio.push_back(ns / floor);
    return;
  }
  std::uint32_t verdict = 0;
  const double floor = floor_of(what.hook, frame);
  programs_.plan(what.hook, plan_of(what, frame));
  const double restore =
      programs_.run(Program::kRestore, what.hook, frame, kFloorPackets, &verdict);
  const double core = checked(Program::kCore, what, frame, outcome);
  const double ns = core - (restore - floor);
  rounds.floor.push_back(floor);
  rounds.restore.push_back(restore);
  rounds.core.push_back(core);
  rounds.ns.push_back(ns);
  rounds.ratio.push_back(ns / floor);
  if (!runs_unrestored(what)) return;
  Outcome apart;
  rounds.shipped.push_back(checked(Program::kShipped, what, frame, apart));
}

}  // namespace

Spread spread_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  const double median =
      values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
  return {.median = median, .min = values.front(), .max = values.back()};
}

std::vector<Outcome> measure_all(World& world, Programs& programs, const MeasureOptions& options) {
  std::vector<Outcome> outcomes;
  Bench bench(world, programs);
  for (Phase& phase : all_phases()) {
    std::erase_if(phase.cases, [&options](const Case& what) { return !options.wanted(what); });
    if (phase.cases.empty()) continue;
    options.progress(phase.title + ": " + std::to_string(phase.cases.size()) + " cases");
    world.spill(phase.spilled);
    std::vector<Rounds> rounds(phase.cases.size());
    std::vector<Outcome> made(phase.cases.size());
    for (std::uint32_t round = 0; round < options.rounds; ++round)
      for (std::size_t i = 0; i < phase.cases.size(); ++i)
        bench.round(phase.cases[i], rounds[i], made[i]);
    for (std::size_t i = 0; i < phase.cases.size(); ++i) {
      Outcome& outcome = made[i];
      outcome.what = phase.cases[i];
      outcome.ns = spread_of(rounds[i].ns);
      outcome.ratio = spread_of(rounds[i].ratio);
      outcome.core_ns = spread_of(rounds[i].core).median;
      outcome.restore_ns = spread_of(rounds[i].restore).median;
      outcome.floor_ns = spread_of(rounds[i].floor).median;
      if (!rounds[i].shipped.empty()) outcome.shipped_ns = spread_of(rounds[i].shipped).median;
      outcomes.push_back(std::move(outcome));
    }
    world.forget(phase.spilled);
    world.forget_embryos();
  }
  return outcomes;
}

}  // namespace flare::bench
