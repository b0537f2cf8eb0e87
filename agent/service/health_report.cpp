#include "service/health_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernel/maps.h"

namespace flare {
namespace {

using nlohmann::json;

/// Of some 400 bytes each, where an answer has 256 KiB.
constexpr std::size_t kBackendsMost = 400;
constexpr double kNsPerSecond = 1e9;

double age_s(std::uint64_t now_ns, std::uint64_t at_ns) {
  return now_ns > at_ns ? static_cast<double>(now_ns - at_ns) / kNsPerSecond : 0;
}

bool is_plainly_up(const HealthView& view) {
  return view.verdict.phase == HealthPhase::kUp && view.held.empty();
}

json backend_json(const HealthView& view, std::uint64_t now_ns) {
  json one{{"service", view.service},
           {"tier", tier_word(view.tier)},
           {"backend", view.backend.text()},
           {"health", phase_word(view.verdict.phase)},
           {"reason", view.held.empty() ? view.verdict.why : view.held},
           {"weight_part", static_cast<double>(view.verdict.weight) / kFullWeight},
           {"since_s", nullptr},
           {"check", nullptr},
           {"check_s_ago", nullptr}};
  if (view.verdict.since_ns != 0) one["since_s"] = age_s(now_ns, view.verdict.since_ns);
  if (view.last_check_ns != 0) {
    one["check"] = view.last_check;
    one["check_s_ago"] = age_s(now_ns, view.last_check_ns);
  }
  return one;
}

}  // namespace

json health_json(const std::vector<HealthView>& views, std::uint64_t now_ns) {
  json counts = json::object();
  for (const HealthPhase phase : {HealthPhase::kUp, HealthPhase::kSlowStart, HealthPhase::kTrial,
                                  HealthPhase::kEjected, HealthPhase::kDown}) {
    counts[std::string(phase_word(phase))] =
        std::count_if(views.begin(), views.end(),
                      [phase](const HealthView& view) { return view.verdict.phase == phase; });
  }
  json backends = json::array();
  std::size_t left_out = 0;
  for (const HealthView& view : views) {
    if (is_plainly_up(view)) continue;
    if (backends.size() < kBackendsMost) {
      backends.push_back(backend_json(view, now_ns));
    } else {
      ++left_out;
    }
  }
  return {{"counts", counts}, {"backends", backends}, {"left_out", left_out}};
}

std::string health_sentence(const std::vector<HealthView>& views) {
  const auto well = std::count_if(views.begin(), views.end(), is_plainly_up);
  return fmt::format("{} of {} backends that are watched are up", well, views.size());
}

}  // namespace flare
