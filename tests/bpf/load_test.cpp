// The programs load whatever the limits are, and cost the verifier no more than they are allowed.
#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <cstdio>
#include <fstream>
#include <map>
#include <optional>

#include "receiver_fixture.h"

namespace flare::test {
namespace {

constexpr const char* kOtherPins = "/sys/fs/bpf/flare-test-limits";

class Load : public ReceiverTest {};

TEST_F(Load, TakesEveryCombinationOfLimits) {
  constexpr std::uint32_t kFlows = FLARE_FLOWS_MAX / 2, kEmbryos = FLARE_EMBRYOS_MAX / 2;
  const LimitConfig combinations[] = {
      {1, 1, 1, 1},
      {FLARE_SERVICES_MAX, 1, 1, kEmbryos},
      {1, FLARE_BACKENDS_MAX, kFlows, 1},
      {FLARE_SERVICES_MAX, FLARE_BACKENDS_MAX, kFlows, kEmbryos},
      LimitConfig{},
  };
  for (const LimitConfig& limits : combinations) {
    SCOPED_TRACE(std::to_string(limits.services) + " services, " + std::to_string(limits.backends) +
                 " backends, " + std::to_string(limits.flows) + " flows, " +
                 std::to_string(limits.embryos) + " embryos");
    {
      const auto loaded =
          Datapath::load({.pin_dir = kOtherPins, .limits = limits, .libbpf_sink = {}});
      ASSERT_TRUE(loaded) << loaded.error().message();
      EXPECT_EQ(loaded->maps().services_max(), limits.services);
      EXPECT_EQ(loaded->maps().backends_max(), limits.backends);
      EXPECT_EQ(loaded->maps().flows.max_entries(), 2 * limits.flows);
      EXPECT_EQ(loaded->maps().embryos.max_entries(), 2 * limits.embryos);
      EXPECT_FALSE(loaded->adopted());
    }
    ASSERT_TRUE(detach_all(kOtherPins));
  }
}

/// Instructions that the verifier went through for a loaded program.
std::optional<std::uint32_t> verified_instructions(int program_fd) {
  bpf_prog_info info{};
  __u32 size = sizeof info;
  if (bpf_obj_get_info_by_fd(program_fd, &info, &size) != 0) return std::nullopt;
  return info.verified_insns;
}

std::map<std::string, std::uint32_t> read_budget() {
  std::map<std::string, std::uint32_t> budget;
  std::ifstream file(std::string(FLARE_SOURCE_DIR) + "/tests/bpf/verifier_budget.txt");
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    const auto space = line.find(' ');
    budget[line.substr(0, space)] = static_cast<std::uint32_t>(std::stoul(line.substr(space)));
  }
  return budget;
}

TEST_F(Load, CostsTheVerifierNoMoreThanItsBudget) {
  const auto budget = read_budget();
  for (const auto hook :
       {FLARE_HOOK_XDP, FLARE_HOOK_TC_INGRESS, FLARE_HOOK_TC_COMPANION, FLARE_HOOK_TC_EGRESS}) {
    const std::string name(hook_word(hook));
    ASSERT_TRUE(budget.contains(name)) << "verifier_budget.txt has no line for " << name;
    const auto cost = verified_instructions(datapath().program_fd(hook));
    ASSERT_TRUE(cost && *cost > 0);
    const double ratio = static_cast<double>(*cost) / budget.at(name);
    std::printf("  %s: the verifier processed %u instructions, %.1f %% of %u\n", name.c_str(),
                *cost, ratio * 100, budget.at(name));
    EXPECT_LE(ratio, 1.1) << name << " grew by more than 10 %: make it cheaper, or say in the "
                          << "commit that raises verifier_budget.txt why it must cost more";
  }
}

}  // namespace
}  // namespace flare::test
