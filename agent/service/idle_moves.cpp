#include "service/idle_moves.h"

#include <algorithm>

#include "service/identity.h"

namespace flare {
namespace {

/// A walk visits every socket of the host, or flow, so that it is made less often where there are
/// many.
constexpr std::uint64_t kPauseFactor = 20;

}  // namespace

void IdleMoves::load(const std::filesystem::path& pin_dir) {
  out_.reset.emplace(IdleReset::load(pin_dir));
  home_.reset.emplace(HomeReset::load(pin_dir, maps_));
}

/// From which silence on connections are idle, of the services whose connections shall leave the
/// tier now.
IdleMoves::Bounds IdleMoves::wanted(const Config& config, flare_tier tier) const {
  Bounds bounds;
  for (const ServiceConfig& service : config.services) {
    if (!service.move.idle) continue;
    const auto value = maps_.services.lookup(key_of(service));
    if (!value || value->move_interval_ns[tier] == 0) continue;
    bounds[value->id] = idle_bound_ns(maps_.latency(value->id, tier, FLARE_LATENCY_REQUEST));
  }
  return bounds;
}

template <typename Reset>
Result<void> IdleMoves::set_bounds(Walk<Reset>& walk, const Bounds& bounds) {
  for (const auto& [id, bound] : walk.bounds) {
    if (bounds.contains(id)) continue;
    auto cleared = walk.reset->value().set_bound(id, 0);
    if (!cleared) return cleared;
  }
  for (const auto& [id, bound] : bounds) {
    auto set = walk.reset->value().set_bound(id, bound);
    if (!set) return set;
  }
  walk.bounds = bounds;
  return {};
}

/// A failure that lasts is told once.
template <typename Reset>
void IdleMoves::tell(Walk<Reset>& walk, const Result<void>& outcome) {
  if (outcome.has_value() != walk.failed) return;
  walk.failed = !outcome;
  if (walk.failed) {
    log_.error("idle connections are not reset tier={} reason=\"{}\"", tier_word(walk.tier),
               outcome.error().message());
  } else {
    log_.info("idle connections are reset again tier={}", tier_word(walk.tier));
  }
}

template <typename Reset>
Result<void> IdleMoves::walk_now(Walk<Reset>& walk, std::uint64_t now_ns) {
  auto report = walk.reset->value().run();
  if (!report) return report.error();
  const auto took_ns = static_cast<std::uint64_t>(report->took.count());
  walk.not_before_ns = now_ns + took_ns * kPauseFactor;
  if (report->reset > 0) {
    log_.debug("reset idle connections tier={} reset={} of={} took_us={}", tier_word(walk.tier),
               report->reset, report->seen, took_ns / 1000);
  }
  return {};
}

template <typename Reset>
void IdleMoves::step(Walk<Reset>& walk, const Config& config, std::uint64_t now_ns) {
  if (!walk.reset || !*walk.reset) {
    tell(walk, walk.reset ? Result<void>(walk.reset->error()) : Error("it was not loaded"));
    return;
  }
  const Bounds bounds = wanted(config, walk.tier);
  if (bounds.empty() || now_ns < walk.not_before_ns) return;
  auto outcome = set_bounds(walk, bounds);
  if (outcome) outcome = walk_now(walk, now_ns);
  tell(walk, outcome);
}

void IdleMoves::step(const Config& config, std::uint64_t now_ns) {
  if (std::none_of(config.services.begin(), config.services.end(),
                   [](const ServiceConfig& service) { return service.move.idle; })) {
    return;
  }
  step(out_, config, now_ns);
  step(home_, config, now_ns);
}

}  // namespace flare
