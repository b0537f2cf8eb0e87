// The programs load whatever the limits are, and cost the verifier no more than they are allowed.
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <sstream>
#include <vector>

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

/// "6.12" as a number that compares; nothing of what is no release.
std::optional<int> release_number(const std::string& text) {
  int major = 0, minor = 0;
  if (std::sscanf(text.c_str(), "%d.%d", &major, &minor) != 2) return std::nullopt;
  return major * 1000 + minor;
}

/// The column for this kernel, of the budget's heading: the newest that is not newer than it is.
std::size_t budget_column(const std::vector<std::string>& heading) {
  utsname running{};
  uname(&running);
  std::size_t column = 1;
  for (std::size_t i = 1; i < heading.size(); ++i)
    if (release_number(heading[i]) <= release_number(running.release)) column = i;
  return column;
}

/// Instructions by program; one that this kernel does not take has none.
std::map<std::string, std::uint32_t> read_budget() {
  std::map<std::string, std::uint32_t> budget;
  std::ifstream file(std::string(FLARE_SOURCE_DIR) + "/tests/bpf/verifier_budget.txt");
  std::size_t column = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    const std::vector<std::string> cells{std::istream_iterator<std::string>(words), {}};
    if (column == 0) {
      column = budget_column(cells);
    } else if (cells.at(column) != "-") {
      budget[cells[0]] = static_cast<std::uint32_t>(std::stoul(cells[column]));
    }
  }
  return budget;
}

/// As the programs are called in the sources: "tc-ingress" is flare_tc_ingress.
std::string program_name(flare_hook hook) {
  std::string name = "flare_" + std::string(hook_word(hook));
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

TEST_F(Load, CostsTheVerifierNoMoreThanItsBudget) {
  const auto budget = read_budget();
  for (const auto hook :
       {FLARE_HOOK_XDP, FLARE_HOOK_TC_INGRESS, FLARE_HOOK_TC_COMPANION, FLARE_HOOK_TC_EGRESS}) {
    const std::string name = program_name(hook);
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
