#include "kernel/shift_sweep.h"

#include <atomic>
#include <utility>
#include <vector>

namespace flare {

Result<std::uint64_t> sweep_shifts(const Maps& maps, std::uint64_t now_ns) {
  constexpr std::uint32_t kBoth = 1U << FLARE_DIR_FORWARD | 1U << FLARE_DIR_REVERSE;
  const auto settings = maps.settings.lookup(0);
  if (!settings) return std::uint64_t{0};
  std::vector<std::pair<flare_flow_key, std::uint32_t>> over;
  auto walked = maps.shifts.for_each([&](const flare_flow_key& key, const flare_shift& shift) {
    const std::uint64_t silent_ns = now_ns > shift.seen_ns ? now_ns - shift.seen_ns : 0;
    const bool ended = (shift.ended & kBoth) == kBoth;
    if (silent_ns > (ended ? settings->tcp_closing_ns : settings->tcp_established_ns)) {
      over.emplace_back(key, shift.service_id);
    }
  });
  if (!walked) return walked.error();
  std::uint64_t removed = 0;
  for (const auto& [key, service_id] : over) {
    auto erased = maps.shifts.erase(key);
    if (!erased) return erased.error();
    if (!*erased) continue;
    maps.admission.visit(service_id, [](flare_admission& admission) {
      std::atomic_ref(admission.shifts).fetch_sub(1, std::memory_order_relaxed);
    });
    ++removed;
  }
  return removed;
}

}  // namespace flare
